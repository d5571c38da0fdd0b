import assert from "node:assert/strict";
import { test } from "node:test";
import { encode, FrameReader, type Message } from "../src/frames";

const MESSAGES: Message[] = [{ event: "hello", version: 1 }, { event: "approve", question: { id: "q", title: "ž🔑" } }, {}];

test("messages arrive whole, however the bytes are cut", () => {
  const stream = Buffer.concat(MESSAGES.map(encode));
  for (let size = 1; size <= stream.length; size++) {
    const reader = new FrameReader();
    const got: Message[] = [];
    for (let at = 0; at < stream.length; at += size) {
      got.push(...reader.feed(stream.subarray(at, at + size)));
    }
    assert.deepEqual(got, MESSAGES, `cut into ${size} bytes`);
  }
});

test("a frame is two big-endian lengths and JSON", () => {
  assert.deepEqual(encode({ a: 1 }), Buffer.concat([Buffer.from([0, 0, 0, 7, 0, 0, 0, 0]), Buffer.from('{"a":1}')]));
});

test("a peer that does not keep to the format is refused", () => {
  const header = (text: number, payload: number): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt32BE(text, 0);
    bytes.writeUInt32BE(payload, 4);
    return bytes;
  };
  const bad = [
    header(0xffffffff, 0),
    header(2, 1), // a payload: values have no business here
    Buffer.concat([header(2, 0), Buffer.from("[]")]),
    Buffer.concat([header(3, 0), Buffer.from("nul")]),
    Buffer.concat([header(4, 0), Buffer.from("null")]),
  ];
  for (const bytes of bad) {
    assert.throws(() => new FrameReader().feed(bytes));
  }
});

// Frames on the control channel: two 32-bit big-endian lengths, a JSON object, then raw bytes, of which there are
// none here (values never pass an editor). Pure: bytes in, objects out.

const HEADER = 8;
const MAX_JSON = 256 * 1024;

export type Message = Record<string, unknown>;

/** Return a message as one frame. */
export function encode(message: Message): Buffer {
  const text = Buffer.from(JSON.stringify(message), "utf8");
  const frame = Buffer.alloc(HEADER + text.length);
  frame.writeUInt32BE(text.length, 0);
  text.copy(frame, HEADER);
  return frame;
}

/** Collects bytes and gives back the messages that they complete. */
export class FrameReader {
  #held: Buffer = Buffer.alloc(0);

  /** Add received bytes. Throws when the peer does not keep to the format; the channel is of no use then. */
  feed(data: Buffer): Message[] {
    this.#held = Buffer.concat([this.#held, data]);
    const messages: Message[] = [];
    while (this.#held.length >= HEADER) {
      const size = this.#held.readUInt32BE(0);
      if (size > MAX_JSON || this.#held.readUInt32BE(4) !== 0) {
        throw new Error("a frame on the control channel is over its limit");
      }
      if (this.#held.length < HEADER + size) {
        break;
      }
      const text = this.#held.subarray(HEADER, HEADER + size).toString("utf8");
      this.#held = this.#held.subarray(HEADER + size);
      messages.push(parse(text));
    }
    return messages;
  }
}

function parse(text: string): Message {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    message = undefined;
  }
  if (typeof message !== "object" || message === null || Array.isArray(message)) {
    throw new Error("a frame on the control channel holds no JSON object");
  }
  return message as Message;
}

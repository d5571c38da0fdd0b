// Text from elsewhere, made fit to be shown to a person who decides by it. Pure: knows no editor.
//
// Control characters, bidirectional overrides, zero-width and other invisible characters are written as escapes, so
// that what is read is what there is.

const HIDDEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{Zl}\p{Zp}\p{Mn}\p{Me}]|(?! )\p{Zs}|[\u115f\u1160\u3164\uffa0\u2800]/gu;

/** Return `text` on one line, with every invisible character shown as `\u{…}`, cut after `limit` characters. */
export function visible(text: string, limit = 600): string {
  const shown = text.replace(HIDDEN, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`);
  if (shown.length <= limit) {
    return shown;
  }
  const half = Math.floor((limit - 3) / 2);
  return `${shown.slice(0, half)} … ${shown.slice(-half)}`;
}

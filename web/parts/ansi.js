/**
 * Terminal text as harmless pieces: colours and weights become classes, every
 * other control sequence is dropped, and characters that would turn the
 * direction of text or hide it are shown by their number.
 */

/** @typedef {{fg: string, bg: string, bold: boolean, dim: boolean, italic: boolean, underline: boolean, inverse: boolean}} Style */
/** @typedef {{text: string, style: Style | null}} Piece */

const ESC = "\u001b";
/** CSI …final, OSC and its kind up to BEL or ST, then two-character escapes, each whole or cut off. */
// eslint-disable-next-line no-control-regex
const SEQUENCE = /(?:\u001b\[|\u009b)([0-?]*)[ -/]*([@-~]?)|(?:\u001b[\]PX^_]|[\u009d\u0090\u0098\u009e\u009f])[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)?|\u001b[ -/]*[0-~]?/g;
/** C0 and C1 but tab; marks and overrides of direction; what takes no room. */
// eslint-disable-next-line no-control-regex
const HIDDEN = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\uffff]/g;
const PLAIN = /** @type {Style} */ ({ fg: "", bg: "", bold: false, dim: false, italic: false, underline: false, inverse: false });

/** What a hidden character is, for people. @param {string} character */
function shown(character) {
  // A carriage return within a line is a progress bar that wrote over itself.
  if (character === "\r") return "\u23ce";
  return `\u2039${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(2, "0")}\u203a`;
}

/** @param {string} text */
export function visible(text) {
  return text.replace(HIDDEN, shown);
}

/** The text alone, without sequences. @param {string} text */
export function plain(text) {
  return text.includes(ESC) || /[\u0080-\u009f]/.test(text) ? visible(text.replace(SEQUENCE, "")) : visible(text);
}

/**
 * The pieces of one line; `style` is what the line before ended with.
 * @param {string} line @param {Style} [style] @returns {{pieces: Piece[], style: Style}}
 */
export function pieces(line, style = PLAIN) {
  const found = /** @type {Piece[]} */ ([]);
  let now = style, at = 0;
  const push = (/** @type {string} */ text) => { if (text) found.push({ text: visible(text), style: now === PLAIN ? null : now }); };
  for (const match of line.matchAll(SEQUENCE)) {
    push(line.slice(at, match.index));
    at = match.index + match[0].length;
    if (match[2] === "m") now = styled(now, match[1] ?? "");
  }
  push(line.slice(at));
  return { pieces: found, style: now };
}

/** @param {Style} style @param {string} parameters @returns {Style} */
function styled(style, parameters) {
  const codes = parameters.split(/[;:]/).map((code) => Number.parseInt(code || "0", 10));
  let next = { ...style };
  for (let index = 0; index < codes.length; index += 1) {
    const code = codes[index] ?? 0;
    if (code === 38 || code === 48) {
      const colour = extended(codes, index + 1);
      if (code === 38) next.fg = colour.name;
      else next.bg = colour.name;
      index += colour.used;
    } else {
      next = { ...next, ...CHANGES[code] };
    }
  }
  return Object.values(next).some(Boolean) ? next : PLAIN;
}

/** What a code changes. */
const CHANGES = /** @type {Record<number, Partial<Style>>} */ ({
  0: PLAIN, 1: { bold: true }, 2: { dim: true }, 3: { italic: true }, 4: { underline: true }, 7: { inverse: true },
  22: { bold: false, dim: false }, 23: { italic: false }, 24: { underline: false }, 27: { inverse: false },
  39: { fg: "" }, 49: { bg: "" },
});
for (let colour = 0; colour < 8; colour += 1) {
  CHANGES[30 + colour] = { fg: String(colour) };
  CHANGES[40 + colour] = { bg: String(colour) };
  CHANGES[90 + colour] = { fg: String(colour + 8) };
  CHANGES[100 + colour] = { bg: String(colour + 8) };
}

/** A colour of 256 or of 24 bits, as the nearest of the 16 that the theme keeps readable. @param {number[]} codes @param {number} at */
function extended(codes, at) {
  if (codes[at] === 5) return { name: nearest(codes[at + 1] ?? 0), used: 2 };
  if (codes[at] === 2) return { name: ofRgb([codes[at + 1] ?? 0, codes[at + 2] ?? 0, codes[at + 3] ?? 0]), used: 4 };
  return { name: "", used: 0 };
}

/** @param {number} index of the 256 */
function nearest(index) {
  if (!(index >= 0 && index < 256)) return "";
  if (index < 16) return String(index);
  if (index >= 232) return index < 244 ? "8" : "7";
  const cube = index - 16;
  return ofRgb([Math.floor(cube / 36) * 51, (Math.floor(cube / 6) % 6) * 51, (cube % 6) * 51]);
}

/** @param {number[]} rgb */
function ofRgb(rgb) {
  const most = Math.max(...rgb);
  if (most < 50) return "8";
  const bits = rgb.reduce((sum, part, index) => sum + (part > most * 0.6 ? 1 << index : 0), 0);
  return String(bits + (most > 190 && bits !== 7 ? 8 : 0));
}

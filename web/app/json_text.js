/**
 * JSON as a person writes it: where each value stands, what is wrong and where; and what an edit changes.
 */

import { pointer } from "../kit/schema_form.js";

/**
 * @typedef {{ line: number, message: string }} Mistake `line` counts from 1
 * @typedef {{ value: any, lines: Map<string, number>, mistake: Mistake | null }} JsonText
 *   `value` is undefined if there is a mistake. `lines` has the line of each value, or of its name, by
 *   JSON Pointer, as far as the text could be read.
 * @typedef {{ pointer: string, kind: "added" | "removed" | "changed" }} Change
 */

const DEEPEST = 100;
const SPACE = /[ \t\r\n]*/y;
const STRING = /"(?:[^"\\\n\r]|\\.)*"/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /true|false|null/y;

class Misread extends Error {}

/**
 * Reads a text by the grammar of RFC 8259. Beyond it, a name that an object has twice is a mistake, and
 * so is a number that a browser can't keep exactly: it would be stored as another one.
 *
 * @param {string} text
 * @returns {JsonText}
 */
export function readJson(text) {
  /** @type {Map<string, number>} */
  const lines = new Map();
  let at = 0;
  let line = 1;
  /** @param {RegExp} what */
  const take = (what) => {
    what.lastIndex = at;
    let found = what.exec(text)?.[0];
    try {
      if (what === STRING && found) JSON.parse(found);
    } catch {
      found = undefined;
    }
    at += found?.length ?? 0;
    return found;
  };
  const skipSpace = () => {
    line += (take(SPACE) ?? "").split("\n").length - 1;
  };
  /** @param {string} mark */
  const takes = (mark) => {
    skipSpace();
    if (text[at] !== mark) return false;
    at += 1;
    return true;
  };
  /** @param {string} wanted */
  const expected = (wanted) => {
    const name = take(STRING);
    const rest = name?.slice(0, 24) ?? /^(?:[\p{L}\p{N}_.$-]+|.)/u.exec(text.slice(at, at + 24))?.[0];
    if (rest === '"') return new Misread("A string has no end on this line, or a \\ that means nothing");
    return new Misread(
      rest ? `Found ${rest} where ${wanted} belongs` : `The text ends where ${wanted} belongs`,
    );
  };
  /** @param {string} end @param {() => void} one */
  const several = (end, one) => {
    if (takes(end)) return;
    do one();
    while (takes(","));
    if (!takes(end)) throw expected(`a comma or ${end}`);
  };
  /** @param {string} place @param {number} depth */
  const value = (place, depth) => {
    skipSpace();
    if (!lines.has(place)) lines.set(place, line);
    if (depth > DEEPEST) throw new Misread("This is nested too deeply");
    if (takes("{")) {
      several("}", () => {
        skipSpace();
        const name = take(STRING);
        if (name === undefined) throw expected("a name in quotes");
        const inner = pointer(place, JSON.parse(name));
        if (lines.has(inner)) throw new Misread(`The name ${name} is there twice`);
        lines.set(inner, line);
        if (!takes(":")) throw expected("a colon");
        value(inner, depth + 1);
      });
    } else if (takes("[")) {
      let index = 0;
      several("]", () => {
        value(pointer(place, index), depth + 1);
        index += 1;
      });
    } else if (take(STRING) === undefined && take(WORD) === undefined) {
      const digits = take(NUMBER);
      if (digits === undefined) throw expected("a value");
      const number = Number(digits);
      if (!Number.isFinite(number) || (Number.isInteger(number) && !Number.isSafeInteger(number))) {
        throw new Misread(`The number ${digits.slice(0, 24)} is too large to be kept as it is`);
      }
    }
  };
  try {
    value("", 0);
    skipSpace();
    if (at < text.length) throw expected("the end");
    return { value: JSON.parse(text), lines, mistake: null };
  } catch (failure) {
    if (!(failure instanceof Misread)) throw failure;
    return { value: undefined, lines, mistake: { line, message: failure.message } };
  }
}

/**
 * The line of a place, or of the nearest one above it that there is.
 *
 * @param {Map<string, number>} lines
 * @param {string} wanted a JSON Pointer
 */
export function lineOf(lines, wanted) {
  for (let place = wanted; place; place = place.slice(0, place.lastIndexOf("/"))) {
    const line = lines.get(place);
    if (line) return line;
  }
  return 1;
}

/** @param {unknown} value @returns {value is Record<string, unknown>} */
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** @param {unknown} object @param {string} name */
const member = (object, name) => (isObject(object) && Object.hasOwn(object, name) ? object[name] : undefined);

/**
 * Where an edit has null as a member: in a JSON merge patch null removes, so it can't be stored.
 *
 * @param {unknown} before
 * @param {unknown} after
 * @param {string} [place]
 * @returns {string[]} JSON Pointers
 */
export const unstorable = (before, after, place = "") =>
  isObject(after)
    ? Object.entries(after).flatMap(([name, value]) => {
        if (value === null) return member(before, name) === null ? [] : [pointer(place, name)];
        return unstorable(member(before, name), value, pointer(place, name));
      })
    : [];

/**
 * What differs, at the deepest places where it does.
 *
 * @param {unknown} before
 * @param {unknown} after
 * @param {string} [place]
 * @returns {Change[]}
 */
export function changesBetween(before, after, place = "") {
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  const bothLists = Array.isArray(before) && Array.isArray(after);
  if (!bothLists && !(isObject(before) && isObject(after))) {
    const kind = before === undefined ? "added" : after === undefined ? "removed" : "changed";
    return [{ pointer: place, kind }];
  }
  const [old, fresh] = /** @type {any[]} */ ([before, after]);
  return [...new Set([...Object.keys(old), ...Object.keys(fresh)])].flatMap((name) =>
    changesBetween(
      Object.hasOwn(old, name) ? old[name] : undefined,
      Object.hasOwn(fresh, name) ? fresh[name] : undefined,
      pointer(place, name),
    ),
  );
}

const BREAKS = [
  [
    /^\/(variablesSchema|manifest\/secretsSchema|manifest\/configurationSchema)\/properties\/[^/]+$/,
    "removed",
  ],
  [
    /^\/(variablesSchema|manifest\/secretsSchema|manifest\/configurationSchema)\/required(\/|$)/,
    "added changed",
  ],
  [/^\/authConfig\/(type|grantType)$/, "added removed changed"],
  [/^\/manifest\/(roles|capabilities)(\/|$)/, "removed changed"],
];

/**
 * The version that semver suggests after some changes: what the users of a release would have to follow is a
 * new major version, what is more a minor one, everything else a patch.
 *
 * @param {string | null} last the highest release
 * @param {Change[]} changes
 */
export function nextVersion(last, changes) {
  if (!last) return "1.0.0";
  const [major = 0, minor = 0, patch = 0] = (last.split(/[-+]/)[0] ?? "").split(".").map(Number);
  const breaks = changes.some((change) =>
    BREAKS.some(
      ([where, kinds]) =>
        /** @type {RegExp} */ (where).test(change.pointer) && String(kinds).includes(change.kind),
    ),
  );
  if (breaks) return major ? `${major + 1}.0.0` : `0.${minor + 1}.0`;
  if (major && changes.some((change) => change.kind === "added")) return `${major}.${minor + 1}.0`;
  return `${major}.${minor}.${patch + 1}`;
}

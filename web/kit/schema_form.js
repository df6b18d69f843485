/**
 * Forms of JSON Schemas: what is asked for, drawn, and what is plainly wrong with what was entered.
 *
 * The server decides what is right: checks here save a person a round trip, no more. A pattern is
 * never run, since its author could make it take forever; its words are shown instead. Of a schema
 * this understands the properties of an object, in groups, and those of an object in it; anything
 * deeper, or of too many parts, is entered as JSON. `x-order`, `x-group`, `x-prefix`, `x-suffix`, `x-multiline` and
 * `x-pattern-words` of a property say how it is shown.
 */

import { html, useEffect, useId, useRef, useState } from "../vendor/preact.js";
import { Button, Field, Icon } from "./basics.js";

/**
 * @typedef {Record<string, any>} Schema
 * @typedef {Record<string, unknown>} Values
 * @typedef {(key: string, values?: Record<string, string | number>) => string} Texts
 * @typedef {{ root: Schema, errors: Map<string, string>, locked: Set<string>, hidden: Set<string>, t: Texts }} Context
 * @typedef {{ schema: Schema, name: string, at: string, value: unknown, set: (value: unknown) => void,
 *   required: boolean, depth: number, context: Context }} Part
 *   `at` is a JSON Pointer; `set(undefined)` removes the value.
 */

/** The English texts of `t`, by key. @type {Record<string, string>} */
export const FORM_TEXTS = {
  "form.optional": "(optional)",
  "form.choose": "Choose…",
  "form.none": "None",
  "form.yes": "Yes",
  "form.no": "No",
  "form.add": "Add",
  "form.remove": "Remove {name}",
  "form.item": "{name}, item {number}",
  "form.option": "Option {number}",
  "form.kind": "Kind",
  "form.example": "For example: {example}",
  "form.json": "Enter JSON.",
  "form.locked": "Set by the app that sent you.",
  "form.show": "Show {name}",
  "form.hide": "Hide {name}",
  "form.kept": "Stored. Leave it empty to keep it.",
  "form.error.required": "Enter a value.",
  "form.error.choose": "Choose one of the values.",
  "form.error.integer": "Enter a whole number.",
  "form.error.number": "Enter a number.",
  "form.error.minimum": "Enter {limit} or more.",
  "form.error.maximum": "Enter {limit} or less.",
  "form.error.above": "Enter more than {limit}.",
  "form.error.below": "Enter less than {limit}.",
  "form.error.minLength": "Enter at least {limit} characters.",
  "form.error.maxLength": "Enter at most {limit} characters.",
  "form.error.minItems": "Enter at least {limit}.",
  "form.error.maxItems": "Enter at most {limit}.",
  "form.error.unique": "Each value can be there once.",
  "form.error.email": "Enter an email address, such as ada@example.com.",
  "form.error.uri": "Enter an address with its scheme, such as https://example.com.",
  "form.error.hostname": "Enter a host name alone, such as db.example.com.",
  "form.error.date": "Enter a date.",
  "form.error.json": "This is not valid JSON.",
  "form.error.object": "Enter a JSON object: {…}.",
  "form.error.array": "Enter a JSON array: […].",
};

/** @type {Set<string>} */
const NOTHING = new Set();
const MULTILINE_LENGTH = 1000;

/** Of fields and choices. By references, a short schema has millions, and no browser draws them. */
const MOST_PARTS = 5000;

/**
 * The fields of an object's schema.
 *
 * @param {{ schema: Schema, value: Values, onChange: (value: Values) => void, errors: Map<string, string>,
 *   locked?: Set<string>, hidden?: Set<string>, t: Texts }} props
 *   `errors`, `locked` (what can't be changed), and `hidden` (what is not asked for) are by JSON
 *   Pointer into the value.
 */
export function SchemaForm({ schema, value, onChange, errors, locked = NOTHING, hidden = NOTHING, t }) {
  useEffect(() => {
    const whole = implied(schema, value, schema, 0);
    if (!same(whole, value)) onChange(whole);
  }, []);
  return html`<div class="stack form">
    <${Members} schema=${schema} at="" value=${value} depth=${0} set=${onChange} required=${true}
      context=${{ root: schema, errors, locked, hidden, t }} />
  </div>`;
}

/**
 * @typedef {{ name: string, value_schema: Schema, required: boolean, is_set: boolean }} SecretField
 */

/**
 * The secrets to enter. What is stored is never shown: an empty field keeps it.
 *
 * @param {{ fields: SecretField[], value: Record<string, string>, onChange: (value: Record<string, string>) => void,
 *   errors: Map<string, string>, t: Texts }} props `errors` by `/name`
 */
export const SecretFields = ({ fields, value, onChange, errors, t }) =>
  html`<div class="stack form">
    ${fields.map(
      (field) => html`<${Secret} key=${field.name} field=${field} t=${t}
        value=${own(value, field.name) ?? ""}
        error=${errors.get(pointer("", field.name))}
        set=${/** @param {string} text */ (text) => onChange(/** @type {any} */ (changed(value, field.name, text || undefined)))} />`,
    )}
  </div>`;

/**
 * What is plainly wrong with a value, by JSON Pointer. Empty if nothing is, so far as a browser can tell.
 *
 * @param {Schema} schema
 * @param {Values} value
 * @param {Texts} t
 * @param {Set<string>} [hidden]
 * @returns {Map<string, string>}
 */
export function problemsOf(schema, value, t, hidden = NOTHING) {
  /** @type {Map<string, string>} */
  const found = new Map();
  collect(schema, value, "", { root: schema, errors: found, locked: NOTHING, hidden, t }, 0);
  return found;
}

/**
 * The missing ones of the secrets that must be entered, by `/name`.
 *
 * @param {SecretField[]} fields
 * @param {Record<string, string>} value
 * @param {Texts} t
 */
export const secretProblems = (fields, value, t) =>
  new Map(
    fields
      .filter((field) => field.required && !field.is_set && !own(value, field.name))
      .map((field) => [pointer("", field.name), t("form.error.required")]),
  );

/**
 * The JSON merge patch (RFC 7396) that makes one object of another.
 *
 * @param {Values} before
 * @param {Values} after
 * @returns {Values}
 */
export function patchOf(before, after) {
  /** @type {[string, unknown][]} */
  const changes = [];
  for (const name of Object.keys(before)) {
    if (!Object.hasOwn(after, name)) changes.push([name, null]);
  }
  for (const [name, value] of Object.entries(after)) {
    const old = own(before, name);
    if (isObject(old) && isObject(value)) {
      const inner = patchOf(old, value);
      if (Object.keys(inner).length) changes.push([name, inner]);
    } else if (JSON.stringify(old) !== JSON.stringify(value)) changes.push([name, value]);
  }
  return Object.fromEntries(changes);
}

/**
 * The control in a part of a page where a JSON Pointer is entered, or that of the nearest place above it.
 *
 * @param {Element} place
 * @param {string} wanted
 * @returns {HTMLElement | null}
 */
export function controlOf(place, wanted) {
  const controls = /** @type {HTMLElement[]} */ ([...place.querySelectorAll("[data-pointer]")]);
  for (let at = wanted; at; at = at.slice(0, at.lastIndexOf("/"))) {
    const found = controls.find((control) => control.dataset["pointer"] === at);
    if (found) return found;
  }
  return null;
}

/**
 * How a property is called: by its title, or else by its name in words.
 *
 * @param {string} name
 * @param {Schema} [schema]
 */
export function titleOf(name, schema = {}) {
  const title = words(schema["title"]);
  if (title) return title;
  const text = name
    .replace(/([a-z\d])([A-Z])/g, "$1 $2")
    .replace(/[_\-. ]+/g, " ")
    .trim()
    .toLowerCase();
  const known = text.replace(/\b(api|id|ur[il]|ip|tls|ssh|sso|https?|sql|json)\b/g, (word) =>
    word.toUpperCase(),
  );
  return known.charAt(0).toUpperCase() + known.slice(1) || name;
}

/** How a secret is called. @param {SecretField} field @param {Texts} t */
export function secretTitle({ name, value_schema }, t) {
  const known = t(`secret.${name}`);
  return words(own(value_schema, "title")) ?? (known === `secret.${name}` ? titleOf(name) : known);
}

// ---------------------------------------------------------------- reading schemas

/** @param {unknown} value @returns {value is Record<string, any>} */
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** A member, not what every object inherits. @param {any} object @param {string} name @returns {any} */
const own = (object, name) => (isObject(object) && Object.hasOwn(object, name) ? object[name] : undefined);

/** A schema may say anything where a text belongs. @param {unknown} value */
const words = (value) => (typeof value === "string" && value.trim() ? value : undefined);

/** @param {string} at @param {string | number} name */
export const pointer = (at, name) => `${at}/${String(name).replaceAll("~", "~0").replaceAll("/", "~1")}`;

/** @param {Values} object @param {string} name @param {unknown} value @returns {Values} */
const changed = (object, name, value) =>
  Object.fromEntries([
    ...Object.entries(object).filter(([other]) => other !== name),
    ...(value === undefined ? [] : [/** @type {[string, unknown]} */ ([name, value])]),
  ]);

/**
 * The schema that a local reference leads to. It inherits from its target: copied for each reference,
 * a large one would take forever.
 *
 * @param {unknown} schema
 * @param {Schema} root
 * @param {number} [hops]
 * @returns {Schema}
 */
function resolved(schema, root, hops = 8) {
  const found = isObject(schema) ? schema : {};
  if (!hops || typeof found["$ref"] !== "string" || !found["$ref"].startsWith("#/")) return found;
  const { $ref, ...beside } = found;
  /** @type {any} */
  let target = root;
  for (const part of $ref.slice(2).split("/")) {
    target = own(target, part.replaceAll("~1", "/").replaceAll("~0", "~"));
  }
  return Object.setPrototypeOf(beside, resolved(target, root, hops - 1));
}

/** @param {Schema} schema @param {Schema} root @returns {Schema[]} */
const branchesOf = (schema, root) => {
  const several = schema["oneOf"] ?? schema["anyOf"];
  return Array.isArray(several) ? several.map((branch) => resolved(branch, root)) : [];
};

/** A branch without branches of its own. @param {Schema} branch @returns {Schema} */
const alone = ({ properties, required }) => ({ properties, required });

/**
 * @typedef {"choice" | "members" | "many" | "list" | "alternatives" | "json" | "boolean" | "integer" | "number" | "text"} Kind
 */

/** @param {Schema} schema */
function typeOf(schema) {
  const type = schema["type"];
  const types = (Array.isArray(type) ? type : [type]).filter(
    (one) => typeof one === "string" && one !== "null",
  );
  if (types.length > 1) return "mixed";
  if (types.length) return types[0];
  if (isObject(schema["properties"])) return "object";
  return schema["items"] !== undefined ? "array" : "string";
}

/**
 * How a value is entered.
 *
 * @param {Schema} schema
 * @param {Schema} root
 * @param {number} depth of the object that it is a member of
 * @returns {Kind}
 */
function kindOf(schema, root, depth) {
  const type = typeOf(schema);
  if (isTooMuch(root)) return "json";
  if (choicesOf(schema, root)) return "choice";
  const branches = branchesOf(schema, root);
  if (branches.length) {
    if (depth < 1 && branches.every((branch) => isObject(branch["properties"]))) return "members";
    if (depth > 1 || branches.some((branch) => !isEntered(branch, root))) return "json";
    return "alternatives";
  }
  if (type === "object") return depth < 1 && isObject(schema["properties"]) ? "members" : "json";
  if (type === "array") {
    const items = resolved(schema["items"], root);
    if (Array.isArray(schema["prefixItems"]) || !isEntered(items, root)) return "json";
    return choicesOf(items, root) ? "many" : "list";
  }
  if (type === "mixed") return "json";
  return type === "boolean" || type === "integer" || type === "number" ? type : "text";
}

/** @type {WeakMap<WeakKey, any>} */
const known = new WeakMap();

/** What is found out of a part of a schema, once. @template T @param {WeakKey} of @param {() => T} find @returns {T} */
function once(of, find) {
  if (!known.has(of)) known.set(of, find());
  return known.get(of);
}

/** Whether a form has too many parts to draw: then each field is entered as JSON. @param {Schema} root */
const isTooMuch = (root) => once(root, () => !counted(root, root, 4, MOST_PARTS));

/**
 * How many of so many parts a schema leaves, 0 as soon as it has more.
 *
 * @param {unknown} schema
 * @param {Schema} root
 * @param {number} depth
 * @param {number} left
 * @returns {number}
 */
function counted(schema, root, depth, left) {
  const { properties, items, oneOf = [], anyOf = oneOf, enum: values } = resolved(schema, root);
  let rest = left - 1 - (values?.length ?? 0);
  if (depth)
    for (const part of [...Object.values(Object(properties)), items, ...[].concat(anyOf)])
      if (rest > 0) rest = counted(part, root, depth - 1, rest);
  return Math.max(rest, 0);
}

/** Whether a value is entered in one line. @param {Schema} schema @param {Schema} root */
const isEntered = (schema, root) =>
  Boolean(choicesOf(schema, root)) ||
  (!branchesOf(schema, root).length && ["string", "integer", "number"].includes(typeOf(schema)));

/**
 * The values to choose from, with what they are called; null if any value may be entered.
 *
 * @param {Schema} schema
 * @param {Schema} root
 * @returns {{ value: unknown, label: string }[] | null}
 */
function choicesOf(schema, root) {
  if ("const" in schema) return [{ value: schema["const"], label: shown(schema["const"]) }];
  if (Array.isArray(schema["enum"])) {
    return schema["enum"].filter((value) => value !== null).map((value) => ({ value, label: shown(value) }));
  }
  const branches = branchesOf(schema, root);
  if (!branches.length || !branches.every((branch) => "const" in branch)) return null;
  return branches.map((branch) => ({
    value: branch["const"],
    label: words(branch["title"]) ?? shown(branch["const"]),
  }));
}

/** @param {unknown} value */
const shown = (value) =>
  typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value);

/** @param {unknown} one @param {unknown} other */
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/**
 * The properties of an object in the order of `x-order`, then in that of the schema.
 *
 * @param {Schema} schema
 * @param {string} at
 * @param {Context} context
 * @returns {{ name: string, schema: Schema, required: boolean }[]}
 */
function propertiesOf(schema, at, { root, hidden }) {
  const required = Array.isArray(schema["required"]) ? schema["required"] : [];
  const order = (/** @type {Schema} */ one) =>
    typeof one["x-order"] === "number" ? one["x-order"] : Infinity;
  return Object.entries(isObject(schema["properties"]) ? schema["properties"] : {})
    .map(([name, part]) => ({ name, schema: resolved(part, root), required: required.includes(name) }))
    .filter(({ name }) => !hidden.has(pointer(at, name)))
    .sort((one, other) => order(one.schema) - order(other.schema) || 0);
}

/** @param {string} at @param {Set<string>} locked */
function isLocked(at, locked) {
  for (let place = at; place; place = place.slice(0, place.lastIndexOf("/"))) {
    if (locked.has(place)) return true;
  }
  return locked.has("");
}

/**
 * What is wrong at a place, or below it where only one control stands for all of it.
 *
 * @param {string} at
 * @param {Context} context
 * @param {boolean} [below]
 */
function errorAt(at, { errors }, below = false) {
  const exact = errors.get(at);
  if (exact || !below) return exact;
  for (const [place, message] of errors) if (place.startsWith(`${at}/`)) return message;
  return undefined;
}

/** The branch that a value is of. @param {Schema[]} branches @param {unknown} value */
function branchOf(branches, value) {
  const constants = branches.findIndex((branch) => {
    const fixed = fixedOf(branch);
    return fixed.length > 0 && fixed.every(([name, wanted]) => same(own(value, name), wanted));
  });
  if (constants >= 0) return constants;
  return branches.findIndex((branch) => {
    const required = Array.isArray(branch["required"]) ? branch["required"] : [];
    return (
      required.length > 0 &&
      required.every((name) => typeof name === "string" && own(value, name) !== undefined)
    );
  });
}

/** The members that a branch fixes; many may refer to the same. @param {Schema} branch @returns {[string, unknown][]} */
const fixedOf = ({ properties }) =>
  once(Object(properties), () =>
    Object.entries(Object(properties)).flatMap(([name, part]) =>
      isObject(part) && "const" in part ? [[name, part["const"]]] : [],
    ),
  );

/**
 * A value with what it has anyway: a box that must be there is not ticked, and an object that must be
 * there is the first of several.
 *
 * @param {Schema} schema
 * @param {Values} value
 * @param {Schema} root
 * @param {number} depth
 * @returns {Values}
 */
function implied(schema, value, root, depth) {
  const branches = branchesOf(schema, root).filter((branch) => isObject(branch["properties"]));
  const branch = branches[Math.max(branchOf(branches, value), 0)];
  let whole = value;
  for (const part of branch ? [schema, branch] : [schema]) {
    whole = Object.fromEntries([...Object.entries(whole), ...fixedOf(part)]);
    const context = /** @type {any} */ ({ root, hidden: NOTHING });
    for (const { name, schema: inner, required } of propertiesOf(part, "", context)) {
      const given = own(whole, name);
      const kind = kindOf(inner, root, depth);
      if (!required) continue;
      if (kind === "boolean" && given === undefined) whole = changed(whole, name, false);
      if (kind === "members") whole = changed(whole, name, implied(inner, given ?? {}, root, depth + 1));
    }
  }
  return whole;
}

// ---------------------------------------------------------------- checking

/** @type {Record<string, [RegExp, string]>} */
const FORMATS = {
  email: [/^[^\s@]{1,64}@[^\s@]{1,253}$/, "email"],
  uri: [/^[a-z][a-z\d+.-]{0,30}:\S+$/i, "uri"],
  hostname: [/^[^\s/:@]{1,253}$/, "hostname"],
  date: [/^\d{4}-\d\d-\d\d$/, "date"],
};

/**
 * @param {Schema} schema
 * @param {unknown} value
 * @param {string} at
 * @param {Context} context
 * @param {number} depth
 */
function collect(schema, value, at, context, depth) {
  const branches = branchesOf(schema, context.root);
  if (branches.length && branches.every((branch) => isObject(branch["properties"]))) {
    const branch = branches[Math.max(branchOf(branches, value), 0)];
    if (branch) collect(alone(branch), value, at, context, depth);
  }
  for (const property of propertiesOf(schema, at, context)) {
    const place = pointer(at, property.name);
    const given = own(value, property.name);
    const kind = kindOf(property.schema, context.root, depth);
    if (given === undefined || given === "") {
      if (property.required)
        context.errors.set(place, context.t(`form.error.${kind === "choice" ? "choose" : "required"}`));
      continue;
    }
    if (kind === "members") collect(property.schema, given, place, context, depth + 1);
    else {
      const said = problem(property.schema, given, kind, context);
      if (said) context.errors.set(place, said);
    }
  }
}

/**
 * @param {Schema} schema
 * @param {unknown} value
 * @param {Kind} kind
 * @param {Context} context
 * @returns {string | undefined}
 */
function problem(schema, value, kind, { root, t }) {
  /** @param {string} key @param {unknown} [limit] */
  const say = (key, limit) => t(`form.error.${key}`, { limit: Number(limit) });
  /** Nothing is less or more than NaN. @param {string} name @returns {number} */
  const rule = (name) => (typeof schema[name] === "number" ? schema[name] : Number.NaN);
  if (kind === "choice")
    return choicesOf(schema, root)?.some((one) => same(one.value, value)) ? undefined : say("choose");
  if (kind === "integer" || kind === "number") {
    if (typeof value !== "number") return say(kind);
    if (kind === "integer" && !Number.isInteger(value)) return say("integer");
    if (value < rule("minimum")) return say("minimum", rule("minimum"));
    if (value > rule("maximum")) return say("maximum", rule("maximum"));
    if (value <= rule("exclusiveMinimum")) return say("above", rule("exclusiveMinimum"));
    if (value >= rule("exclusiveMaximum")) return say("below", rule("exclusiveMaximum"));
  }
  if (kind === "text" && typeof value === "string") {
    const length = [...value].length;
    if (length < rule("minLength")) return say("minLength", rule("minLength"));
    if (length > rule("maxLength")) return say("maxLength", rule("maxLength"));
    const format = own(FORMATS, String(schema["format"]));
    if (format && !format[0].test(value)) return say(format[1]);
  }
  if (Array.isArray(value)) {
    if (value.length < rule("minItems")) return say("minItems", rule("minItems"));
    if (value.length > rule("maxItems")) return say("maxItems", rule("maxItems"));
    if (
      schema["uniqueItems"] === true &&
      new Set(value.map((one) => JSON.stringify(one))).size < value.length
    )
      return say("unique");
    const items = resolved(schema["items"], root);
    const inner = kindOf(items, root, 1);
    if (kind === "list")
      return value.map((one) => problem(items, one, inner, /** @type {any} */ ({ root, t }))).find(Boolean);
  }
  if (kind === "json") {
    const type = typeOf(schema);
    if (type === "object" && !isObject(value)) return say(isJson(value) ? "object" : "json");
    if (type === "array" && !Array.isArray(value)) return say(isJson(value) ? "array" : "json");
  }
  return undefined;
}

/** Text that could not be read stays text. @param {unknown} value */
function isJson(value) {
  if (typeof value !== "string") return true;
  try {
    JSON.parse(value);
    return true;
  } catch {
    return false;
  }
}

// ---------------------------------------------------------------- drawing

/**
 * The members of an object, in their groups, and the branch of it that was chosen.
 *
 * @param {{ schema: Schema, at: string, value: unknown, set: (value: any) => void, depth: number, required: boolean,
 *   context: Context }} props
 */
function Members({ schema, at, value, set, depth, required, context }) {
  const values = isObject(value) ? value : {};
  /** @type {Map<string, import("../vendor/preact.js").VNode[]>} */
  const groups = new Map([["", []]]);
  for (const property of propertiesOf(schema, at, context)) {
    const group = words(property.schema["x-group"]) ?? "";
    if (!groups.has(group)) groups.set(group, []);
    groups
      .get(group)
      ?.push(html`<${Control} key=${property.name} ...${property} at=${pointer(at, property.name)}
      value=${own(values, property.name)} depth=${depth} context=${context}
      set=${/** @param {unknown} given */ (given) => set(changed(values, property.name, given))} />`);
  }
  const branches = branchesOf(schema, context.root);
  const isBranched = branches.length > 0 && branches.every((branch) => isObject(branch["properties"]));
  return html`
    ${[...groups].map(([group, parts]) =>
      group
        ? html`<fieldset class="group" key=${group}><legend>${group}</legend><div class="stack">${parts}</div></fieldset>`
        : parts,
    )}
    ${isBranched && html`<${Branches} schema=${schema} branches=${branches} at=${at} value=${values} set=${set} depth=${depth} required=${required} context=${context} />`}
  `;
}

/**
 * One of several objects. Where it may be left out, so may be the choice.
 *
 * @param {{ schema: Schema, branches: Schema[], at: string, value: Values, set: (value: Values | undefined) => void,
 *   depth: number, required: boolean, context: Context }} props
 */
function Branches({ schema, branches, at, value, set, depth, required, context }) {
  const [chosen, choose] = useState(() => {
    const found = branchOf(branches, value);
    return found < 0 && (required || Object.keys(value).length) ? 0 : found;
  });
  const { t } = context;
  const branch = branches[chosen];
  const fixed = new Set(fixedOf(branch ?? {}).map(([name]) => pointer(at, name)));
  /** What other branches alone have goes. @param {number} index */
  const change = (index) => {
    choose(index);
    const next = branches[index];
    if (!next) return set(undefined);
    const foreign = new Set(branches.flatMap((one) => Object.keys(one["properties"])));
    const kept = Object.entries(value).filter(
      ([name]) =>
        !foreign.has(name) ||
        own(schema["properties"], name) ||
        (own(next["properties"], name) && !fixed.has(pointer(at, name))),
    );
    return set(implied(next, Object.fromEntries(kept), context.root, depth));
  };
  return html`
    <${Field} label=${words(schema["x-choice"]) ?? t("form.kind")} error=${errorAt(at, context)}>
      ${
        /** @param {any} control */ (
          control,
        ) => html`<select ...${control} data-pointer=${at || "/"} value=${chosen} disabled=${isLocked(at, context.locked)}
          onChange=${(/** @type {any} */ event) => change(Number(event.currentTarget.value))}>
          ${(!required || chosen < 0) && html`<option value="-1">${t("form.none")}</option>`}
          ${branches.map((one, index) => html`<option value=${index} key=${index}>${branchTitle(one, index, t)}</option>`)}
        </select>`
      }
    </${Field}>
    ${branch && words(branch["description"]) && html`<p class="muted">${branch["description"]}</p>`}
    ${
      branch &&
      html`<${Members} key=${chosen} schema=${alone(branch)} at=${at} value=${value}
        set=${set} depth=${depth} required=${true} context=${{ ...context, hidden: new Set([...context.hidden, ...fixed]) }} />`
    }
  `;
}

/** @param {Schema} branch @param {number} index @param {Texts} t */
const branchTitle = (branch, index, t) =>
  words(branch["title"]) ??
  ([branch["const"], ...fixedOf(branch).map(([, value]) => value)].map(shown).filter(Boolean).join(", ") ||
    t("form.option", { number: index + 1 }));

/** @param {Part} part */
function Control(part) {
  const { schema, name, at, value, set, required, depth, context } = part;
  const { t } = context;
  const label = titleOf(name, schema);
  const kind = kindOf(schema, context.root, depth);
  if (isLocked(at, context.locked)) {
    return html`<${Field} label=${label} help=${helpOf(schema, t, t("form.locked"))} error=${errorAt(at, context, true)}>
      ${
        /** @param {any} control */ (control) => html`<div class="affixed locked">
          <input type="text" ...${control} required=${false} data-pointer=${at} readonly dir="auto" value=${lockedText(schema, value, context)} />
          <span aria-hidden="true"><${Icon} name="lock" /></span>
        </div>`
      }
    </${Field}>`;
  }
  if (kind === "boolean") return html`<${Flag} part=${part} label=${label} />`;
  if (kind === "members") {
    return html`<fieldset class="group" data-pointer=${at} tabindex="-1">
      <legend>${label}</legend>
      <div class="stack">
        ${words(schema["description"]) && html`<p class="muted">${schema["description"]}</p>`}
        <${Members} schema=${schema} at=${at} value=${value} depth=${depth + 1} required=${required} context=${context}
          set=${(/** @type {Values | undefined} */ given) => set(required || Object.keys(given ?? {}).length ? given : undefined)} />
      </div>
    </fieldset>`;
  }
  if (kind === "list" || kind === "many")
    return html`<${kind === "list" ? List : Many} part=${part} label=${label} />`;
  const error = errorAt(at, context, kind === "json");
  const help = helpOf(schema, t, kind === "json" ? t("form.json") : undefined);
  return html`<${Field} label=${label} help=${help} error=${error} required=${required} optional=${required ? undefined : t("form.optional")}>
    ${
      /** @param {any} control */ (control) => {
        const attributes = { ...control, "data-pointer": at };
        if (kind === "choice") return choice(part, attributes);
        if (kind === "alternatives") return html`<${Alternatives} part=${part} attributes=${attributes} />`;
        if (kind === "json") return html`<${Json} value=${value} set=${set} attributes=${attributes} />`;
        return html`<${Line} schema=${schema} value=${value} set=${set} attributes=${attributes} />`;
      }
    }
  </${Field}>`;
}

/** @param {Schema} schema @param {unknown} value @param {Context} context */
const lockedText = (schema, value, { root, t }) =>
  typeof value === "boolean"
    ? t(value ? "form.yes" : "form.no")
    : (choicesOf(schema, root)?.find((one) => same(one.value, value))?.label ?? shown(value));

/**
 * What helps to enter a value: the description, the words of its pattern, an example.
 *
 * @param {Schema} schema
 * @param {Texts} t
 * @param {string} [first]
 */
function helpOf(schema, t, first) {
  const example = Array.isArray(schema["examples"]) ? schema["examples"][0] : undefined;
  const said = [
    first,
    words(schema["description"]),
    words(schema["x-pattern-words"]),
    example === undefined ? undefined : t("form.example", { example: shown(example) }),
  ].filter(Boolean);
  return said.length ? html`${said.map((line) => html`<div>${line}</div>`)}` : undefined;
}

/** @param {Part} part @param {Record<string, unknown>} attributes */
function choice({ schema, value, set, required, context }, attributes) {
  const choices = choicesOf(schema, context.root) ?? [];
  const index = choices.findIndex((one) => same(one.value, value));
  return html`<select ...${attributes} value=${index}
    onChange=${(/** @type {any} */ event) => set(choices[Number(event.currentTarget.value)]?.value)}>
    ${(index < 0 || !required) && html`<option value="-1">${context.t(required ? "form.choose" : "form.none")}</option>`}
    ${choices.map((one, position) => html`<option value=${position} key=${position}>${one.label}</option>`)}
  </select>`;
}

/** Text of a line as the schema's value: text that is no number stays text. @param {Schema} schema @param {string} text */
function read(schema, text) {
  const type = typeOf(schema);
  if (!text) return undefined;
  if (type !== "integer" && type !== "number") return text;
  const plain = text.trim().replace(/^([+-]?\d+),(\d+)$/, "$1.$2");
  return /^[+-]?\d{1,300}(\.\d{1,300})?(e[+-]?\d{1,3})?$/i.test(plain) ? Number(plain) : text;
}

/** @type {Record<string, [type: string, mode: string]>} */
const INPUTS = {
  date: ["date", ""],
  "date-time": ["datetime-local", ""],
  uri: ["url", "url"],
  email: ["email", "email"],
  hostname: ["text", "url"],
};

/**
 * One line, or several where the schema expects long text.
 *
 * @param {{ schema: Schema, value: unknown, set: (value: unknown) => void, attributes: Record<string, unknown> }} props
 */
function Line({ schema, value, set, attributes }) {
  const [text, setText] = useState(shown(value));
  const id = useId();
  // What was typed stays as it is, unless the value has become another one.
  const current = same(read(schema, text), value) ? text : shown(value);
  /** @param {any} event */
  const type = (event) => {
    setText(event.currentTarget.value);
    set(read(schema, event.currentTarget.value));
  };
  const format = String(schema["format"]);
  const [kind = "text", mode] = own(INPUTS, format) ?? [];
  const isNumber = ["integer", "number"].includes(typeOf(schema));
  const numeric = schema["minimum"] >= 0 ? (typeOf(schema) === "integer" ? "numeric" : "decimal") : undefined;
  const plain = { autocomplete: "off", autocapitalize: "off", spellcheck: false };
  if (schema["x-multiline"] === true || schema["maxLength"] >= MULTILINE_LENGTH) {
    return html`<textarea ...${plain} ...${attributes} rows="4" value=${current} onInput=${type}></textarea>`;
  }
  if (kind === "datetime-local") {
    return html`<input type=${kind} step="1" ...${attributes} value=${localTime(value)}
      onInput=${(/** @type {any} */ event) => set(instant(event.currentTarget.value))} />`;
  }
  const prefix = words(schema["x-prefix"]);
  const suffix = words(schema["x-suffix"]);
  const described = [attributes["aria-describedby"], prefix && `${id}-prefix`, suffix && `${id}-suffix`];
  const input = html`<input type=${kind} inputmode=${isNumber ? numeric : mode || undefined} ...${plain} ...${attributes}
    aria-describedby=${described.filter(Boolean).join(" ") || undefined}
    dir=${mode || isNumber ? "ltr" : "auto"} value=${current} onInput=${type} />`;
  if (!prefix && !suffix) return input;
  return html`<div class="affixed" dir="ltr">
    ${prefix && html`<span id=${`${id}-prefix`}>${prefix}</span>`}${input}${suffix && html`<span id=${`${id}-suffix`}>${suffix}</span>`}
  </div>`;
}

/** An instant as the reader's clock shows it. @param {unknown} value */
function localTime(value) {
  const time = new Date(String(value));
  if (value === undefined || Number.isNaN(time.getTime())) return "";
  return new Date(time.getTime() - time.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

/** @param {string} text */
function instant(text) {
  const time = new Date(text);
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString().replace(".000Z", "Z");
}

/** @param {{ part: Part, label: string }} props */
function Flag({ part: { schema, at, value, set, context }, label }) {
  const id = useId();
  const error = errorAt(at, context);
  const help = helpOf(schema, context.t);
  return html`<div class="field">
    <div class="check">
      <input type="checkbox" id=${id} data-pointer=${at} checked=${value === true}
        aria-invalid=${error ? "true" : undefined}
        aria-describedby=${[help && `${id}-help`, error && `${id}-error`].filter(Boolean).join(" ") || undefined}
        onChange=${(/** @type {any} */ event) => set(event.currentTarget.checked)} />
      <label for=${id}>${label}</label>
    </div>
    <${Notes} id=${id} help=${help} error=${error} />
  </div>`;
}

/** @param {{ id: string, help: unknown, error: string | undefined }} props */
const Notes = ({ id, help, error }) => html`
  ${help && html`<div class="help" id=${`${id}-help`}>${help}</div>`}
  ${error && html`<div class="error" id=${`${id}-error`}><${Icon} name="alert" /><span>${error}</span></div>`}
`;

/**
 * Several of some values.
 *
 * @param {{ part: Part, label: string }} props
 */
function Many({ part: { schema, at, value, set, required, context }, label }) {
  const id = useId();
  const choices = choicesOf(resolved(schema["items"], context.root), context.root) ?? [];
  const given = Array.isArray(value) ? value : [];
  /** @param {unknown} one @param {boolean} on */
  const turn = (one, on) => {
    const next = choices
      .map((choice) => choice.value)
      .filter((each) => (same(each, one) ? on : given.some((had) => same(had, each))));
    set(next.length ? next : undefined);
  };
  const error = errorAt(at, context, true);
  const help = helpOf(schema, context.t);
  return html`<fieldset class="field" data-pointer=${at} tabindex="-1"
    aria-describedby=${[help && `${id}-help`, error && `${id}-error`].filter(Boolean).join(" ") || undefined}>
    <legend>${label}${!required && html` <span class="muted">${context.t("form.optional")}</span>`}</legend>
    ${choices.map(
      (one, index) => html`<div class="check" key=${index}>
        <input type="checkbox" id=${`${id}-${index}`} checked=${given.some((had) => same(had, one.value))}
          onChange=${(/** @type {any} */ event) => turn(one.value, event.currentTarget.checked)} />
        <label for=${`${id}-${index}`}>${one.label}</label>
      </div>`,
    )}
    <${Notes} id=${id} help=${help} error=${error} />
  </fieldset>`;
}

/**
 * As many values as a person likes, each in a line of its own.
 *
 * @param {{ part: Part, label: string }} props
 */
function List({ part: { schema, at, value, set, required, context }, label }) {
  const id = useId();
  const { t } = context;
  const items = resolved(schema["items"], context.root);
  const given = Array.isArray(value) ? value : [];
  const [rows, setRows] = useState(() => (given.length ? given.map(shown) : [""]));
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const focused = useRef(-1);
  useEffect(() => {
    if (focused.current >= 0) list.current?.querySelectorAll("input")[focused.current]?.focus();
    focused.current = -1;
  });
  const entered = rows.filter(Boolean).map((row) => read(items, row));
  const current = same(entered, given) ? rows : given.map(shown);
  /** @param {string[]} next */
  const keep = (next) => {
    setRows(next);
    const values = next.filter(Boolean).map((row) => read(items, row));
    set(values.length ? values : undefined);
  };
  const error = errorAt(at, context, true);
  const help = helpOf(schema, t);
  const most = schema["maxItems"] ?? Infinity;
  return html`<fieldset class="field" ref=${list}
    aria-describedby=${[help && `${id}-help`, error && `${id}-error`].filter(Boolean).join(" ") || undefined}>
    <legend>${label}${!required && html` <span class="muted">${t("form.optional")}</span>`}</legend>
    ${current.map(
      (row, index) => html`<div class="item" key=${index}>
        <input type="text" dir="auto" autocomplete="off" autocapitalize="off" spellcheck=${false} value=${row}
          data-pointer=${index ? pointer(at, index) : at}
          aria-label=${t("form.item", { name: label, number: index + 1 })}
          aria-invalid=${error ? "true" : undefined}
          onInput=${(/** @type {any} */ event) => keep(current.with(index, event.currentTarget.value))} />
        ${
          current.length > 1 &&
          html`<${Button} kind="quiet" label=${t("form.remove", { name: row || t("form.item", { name: label, number: index + 1 }) })}
            onClick=${() => {
              focused.current = Math.max(index - 1, 0);
              keep(current.toSpliced(index, 1));
            }}><${Icon} name="cross" /></${Button}>`
        }
      </div>`,
    )}
    <div><${Button} kind="small" why=${current.length >= most && t("form.error.maxItems", { limit: most })}
      onClick=${() => {
        focused.current = current.length;
        setRows([...current, ""]);
      }}><${Icon} name="plus" />${t("form.add")}</${Button}></div>
    <${Notes} id=${id} help=${help} error=${error} />
  </fieldset>`;
}

/** @param {{ part: Part, attributes: Record<string, unknown> }} props */
function Alternatives({ part, attributes }) {
  const { schema, value, context } = part;
  const branches = branchesOf(schema, context.root);
  const fits = branches.findIndex(
    (branch) =>
      value !== undefined &&
      (choicesOf(branch, context.root)?.some((one) => same(one.value, value)) ??
        (typeof value === "number") === ["integer", "number"].includes(typeOf(branch))),
  );
  const [chosen, choose] = useState(fits);
  const branch = branches[chosen];
  const isTyped = branch && !("const" in branch);
  return html`<div class="alternatives">
    <select ...${isTyped ? {} : attributes} aria-label=${`${titleOf(part.name, schema)}: ${context.t("form.kind")}`} value=${chosen}
      onChange=${(/** @type {any} */ event) => {
        const index = Number(event.currentTarget.value);
        choose(index);
        part.set(branches[index]?.["const"]);
      }}>
      <option value="-1">${context.t(part.required ? "form.choose" : "form.none")}</option>
      ${branches.map((one, index) => html`<option value=${index} key=${index}>${branchTitle(one, index, context.t)}</option>`)}
    </select>
    ${
      isTyped &&
      (choicesOf(branch, context.root)
        ? choice({ ...part, schema: branch }, attributes)
        : html`<${Line} key=${chosen} schema=${branch} value=${value} set=${part.set} attributes=${attributes} />`)
    }
  </div>`;
}

/**
 * A value as JSON. Text that is not JSON stays as text, which the check then tells.
 *
 * @param {{ value: unknown, set: (value: unknown) => void, attributes: Record<string, unknown> }} props
 */
function Json({ value, set, attributes }) {
  /** @param {unknown} given */
  const written = (given) =>
    given === undefined ? "" : typeof given === "string" ? given : JSON.stringify(given, null, 2);
  const [text, setText] = useState(written(value));
  /** @param {string} typed */
  const parsed = (typed) => {
    if (!typed.trim()) return undefined;
    try {
      return JSON.parse(typed);
    } catch {
      return typed;
    }
  };
  const current = same(parsed(text), value) ? text : written(value);
  return html`<textarea ...${attributes} rows="5" dir="ltr" spellcheck=${false} autocapitalize="off" value=${current}
    onInput=${(/** @type {any} */ event) => {
      setText(event.currentTarget.value);
      set(parsed(event.currentTarget.value));
    }}></textarea>`;
}

/** @param {{ field: SecretField, value: string, set: (text: string) => void, error: string | undefined, t: Texts }} props */
function Secret({ field, value, set, error, t }) {
  const schema = isObject(field.value_schema) ? field.value_schema : {};
  const label = secretTitle(field, t);
  // Stored as a secret, but nothing to hide from who types it.
  const [isShown, show] = useState(field.name === "username");
  const [isLong, setLong] = useState(
    schema["x-multiline"] === true || schema["maxLength"] >= MULTILINE_LENGTH || /\bPEM\b/.test(label),
  );
  const help = helpOf(schema, t, field.is_set && !error ? t("form.kept") : undefined);
  /** @param {any} event */
  const type = (event) => set(event.currentTarget.value);
  /** A field of one line would take the lines out of a key. @param {ClipboardEvent & { currentTarget: any }} event */
  const paste = (event) => {
    const text = event.clipboardData?.getData("text") ?? "";
    if (!/[\r\n]/.test(text.trim())) return;
    event.preventDefault();
    const { selectionStart: from, selectionEnd: to, value: typed } = event.currentTarget;
    setLong(true);
    set(typed.slice(0, from) + text.replaceAll("\r\n", "\n") + typed.slice(to));
  };
  return html`<${Field} label=${label} help=${help} error=${error} required=${field.required && !field.is_set}
    optional=${field.required ? undefined : t("form.optional")}>
    ${
      /** @param {any} control */ (control) => {
        const attributes = {
          ...control,
          "data-pointer": pointer("", field.name),
          autocomplete: "off",
          autocapitalize: "off",
          spellcheck: false,
          dir: "ltr",
          placeholder: field.is_set ? "••••••••" : undefined,
          value,
          onInput: type,
        };
        return html`<div class="affixed">
          ${
            isLong
              ? html`<textarea rows="4" ...${attributes} class=${isShown ? "" : "concealed"}></textarea>`
              : html`<input type=${isShown ? "text" : "password"} ...${attributes} onPaste=${paste} />`
          }
          <${Button} kind="quiet" label=${t(isShown ? "form.hide" : "form.show", { name: label })} onClick=${() => show(!isShown)}>
            <${Icon} name=${isShown ? "hidden" : "seen"} />
          </${Button}>
        </div>`;
      }
    }
  </${Field}>`;
}

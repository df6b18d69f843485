/** Labeled controls of forms, and forms in a window. */

import { Button, Dialog, Failure, Field } from "../kit/elements.js";
import { html } from "../vendor/preact.js";

/**
 * @typedef {import("../vendor/preact.js").ComponentChildren} Children
 * @typedef {{ label: Children, value: string, onChange: (value: string) => void, help?: Children,
 *   error?: string | null | undefined, required?: boolean, optional?: boolean, readonly?: boolean } & Record<string, unknown>} Props
 *   What is not named here goes to the control.
 */

/** @param {"input" | "textarea" | "select"} tag */
const control =
  (tag) =>
  (
    /** @type {Props & { children?: Children }} */ {
      label,
      help,
      error,
      required,
      optional,
      onChange,
      children,
      ...more
    },
  ) =>
    html`<${Field} label=${label} help=${help} error=${error} required=${required} optional=${optional && "(optional)"}>
      ${(/** @type {Record<string, unknown>} */ tied) => html`<${tag} dir="auto" ...${tied} ...${more}
        onInput=${(/** @type {any} */ event) => onChange(event.currentTarget.value)}>${children}</${tag}>`}
    </${Field}>`;

const Input = control("input");
const Select = control("select");

/** One line of text. With `code` it is a name for programs. @param {Props & { code?: boolean }} props */
export const TextField = ({
  code,
  ...more
}) => html`<${Input} type="text" class=${code && "mono"} spellcheck=${!code}
  autocapitalize=${code ? "off" : undefined} autocomplete="off" ...${more} />`;

/** Several lines of prose. */
const Area = control("textarea");
/** @param {Props & { rows?: number }} props */
export const AreaField = (props) => html`<${Area} class="prose" rows=${3} ...${props} />`;

/** One of `options`, values and their words. @param {Props & { options: readonly (readonly [string, string])[] }} props */
export const SelectField = ({ options, ...more }) => html`<${Select} dir=${undefined} ...${more}>
  ${options.map(([key, word]) => html`<option key=${key} value=${key} selected=${key === more.value}>${word}</option>`)}
</${Select}>`;

/**
 * What an action was refused for that no field shows.
 *
 * @param {import("../kit/api.js").ApiError | null} error
 * @param {string[]} fields the JSON Pointers of fields that show theirs
 */
export const unshown = (error, fields) =>
  error && (!error.errors.length || error.errors.some((one) => !fields.includes(one.pointer))) ? error : null;

/**
 * A form in a window, with its buttons.
 *
 * @param {{ title: string, confirm: string, onSubmit: () => void, onClose: () => void, busy?: boolean,
 *   error?: Error | null, failed?: string, why?: string | false | null, danger?: boolean, children?: Children }} props
 *   `failed` is the title of an error
 */
export function FormDialog({
  title,
  confirm,
  onSubmit,
  onClose,
  busy = false,
  error,
  failed = "Nothing was changed",
  why,
  danger,
  children,
}) {
  /** @param {Event} event */
  const submit = (event) => {
    event.preventDefault();
    if (!busy && !why) onSubmit();
  };
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <form class="stack" onSubmit=${submit} novalidate>
      ${children}
      ${error && html`<${Failure} error=${error} title=${failed} />`}
      <div class="row spread">
        <${Button} onClick=${onClose}>Cancel</${Button}>
        <${Button} type="submit" kind=${danger ? "danger" : "primary"} busy=${busy} why=${why}>${confirm}</${Button}>
      </div>
    </form>
  </${Dialog}>`;
}

/** A name in addresses, made of one for people. @param {string} name */
export const slugOf = (name) =>
  name
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 63)
    .replace(/^-+|-+$/g, "");

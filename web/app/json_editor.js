/** An editor of a JSON text: lines with numbers, and what is wrong at its line. */

import { Button, Icon } from "../shared/elements.js";
import { html, useEffect, useId, useRef, useState } from "../vendor/preact.js";
import { lineOf } from "./json_text.js";

/**
 * @typedef {import("./json_text.js").JsonText} JsonText
 * @typedef {{ pointer: string, message: string, tone: "bad" | "info" }} Remark `pointer` is into the text's value
 */

const MOST_LINES_SEEN = 34;

/**
 * The key Tab leaves the editor, as everywhere. After Control + M it indents, until Escape or the editor is left.
 *
 * @param {{ label: string, help: unknown, text: string, json: JsonText, remarks: Remark[],
 *   onChange: (text: string) => void, readOnly?: boolean }} props
 */
export function JsonEditor({ label, help, text, json, remarks, onChange, readOnly = false }) {
  const id = useId();
  const area = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const layer = useRef(/** @type {HTMLElement | null} */ (null));
  const [indents, setIndents] = useState(false);
  const rows = text.split("\n");
  /** @type {(Remark & { line: number })[]} */
  const all = [
    ...(json.mistake ? [{ pointer: "", tone: /** @type {const} */ ("bad"), ...json.mistake }] : []),
    ...remarks.map((one) => ({ ...one, line: lineOf(json.lines, one.pointer) })),
  ].sort((one, other) => one.line - other.line);
  const wrong = all.some((one) => one.tone === "bad");
  const follow = () => {
    if (layer.current && area.current)
      layer.current.scrollTo(area.current.scrollLeft, area.current.scrollTop);
  };
  useEffect(follow);
  /** @param {string} what */
  const insert = (what) => document.execCommand("insertText", false, what); // keeps the browser's undo
  /** @param {KeyboardEvent} event */
  const press = (event) => {
    if (readOnly || event.isComposing) return;
    const at = area.current?.selectionStart ?? 0;
    const before = text.slice(text.lastIndexOf("\n", at - 1) + 1, at);
    if (event.key === "m" && event.ctrlKey) setIndents(!indents);
    else if (event.key === "Escape" && indents) setIndents(false);
    else if (event.key === "Tab" && indents && !event.shiftKey) insert("  ");
    else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      insert(`\n${/^ */.exec(before)?.[0]}${/[[{]\s*$/.test(before) ? "  " : ""}`);
    } else return;
    event.preventDefault();
  };
  /** @param {number} line */
  const show = (line) => {
    const box = area.current;
    if (!box) return;
    const from = rows.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    box.focus();
    box.setSelectionRange(from, from + (rows[line - 1]?.length ?? 0));
    box.scrollTop = Math.max(0, (line - 4) * (box.scrollHeight / rows.length));
    box.scrollIntoView({ block: "nearest" });
  };
  return html`<div class="field">
    <div class="row spread">
      <label class="label" for=${id}>${label}</label>
      ${
        !readOnly &&
        json.value !== undefined &&
        html`<${Button} kind="quiet small" onClick=${() => onChange(JSON.stringify(json.value, null, 2))}
          label=${`Format ${label}`}>Format</${Button}>`
      }
    </div>
    <div class="help" id=${`${id}-help`}>${help}</div>
    ${
      all.length > 0 &&
      html`<ul class="remarks" id=${`${id}-remarks`}>
        ${all.map(
          (one) => html`<li class=${one.tone}>
            <${Icon} name=${one.tone === "bad" ? "cross" : "info"} />
            <button type="button" class="link" onClick=${() => show(one.line)}>Line ${one.line}</button>
            <span>${one.pointer && html`<code>${one.pointer}</code> `}${one.message}</span>
          </li>`,
        )}
      </ul>`
    }
    <div class="code" dir="ltr">
      <div class="lines" ref=${layer} aria-hidden="true">
        ${rows.map((row, index) => {
          const here = all.filter((one) => one.line === index + 1);
          const tone = here.find((one) => one.tone === "bad")?.tone ?? here[0]?.tone;
          return html`<div class=${tone}><b>${index + 1}</b><span>${row}</span>${here.length > 0 && html`<i>${here.map((one) => one.message).join("; ")}</i>`}</div>`;
        })}
      </div>
      <textarea
        id=${id}
        ref=${area}
        rows=${Math.min(Math.max(rows.length, 6), MOST_LINES_SEEN)}
        wrap="off"
        spellcheck=${false}
        autocapitalize="off"
        autocomplete="off"
        readonly=${readOnly}
        aria-invalid=${wrong ? "true" : undefined}
        aria-describedby=${`${id}-help${all.length ? ` ${id}-remarks` : ""}`}
        value=${text}
        onInput=${(/** @type {any} */ event) => onChange(event.target.value)}
        onKeyDown=${press}
        onScroll=${follow}
        onBlur=${() => setIndents(false)}
      ></textarea>
    </div>
    ${
      !readOnly &&
      html`<div class="help" aria-live="polite">
        ${indents ? html`<kbd>Tab</kbd> indents now. <kbd>Esc</kbd> lets it leave the editor again.` : html`<kbd>Tab</kbd> leaves the editor; after <kbd>Ctrl</kbd> <kbd>M</kbd> it indents.`}
      </div>`
    }
  </div>`;
}

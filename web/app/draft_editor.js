/** The editor of a draft: its fields, its documents with what is wrong at each line, and how it is published. */

import { at, request, useResource } from "../kit/api.js";
import { Badge, Banner, Button, Failure, Icon, notify } from "../kit/elements.js";
import { html, useEffect, useId, useRef, useState } from "../vendor/preact.js";
import { ADMIN, MANAGE, useSession } from "./dashboard.js";
import { DOCUMENTS } from "./draft.js";
import { AreaField, FormDialog, SelectField, TextField } from "./fields.js";
import { changesBetween, lineOf, nextVersion } from "./json_text.js";
import { TIERS, VISIBILITIES } from "./release_view.js";

/**
 * @typedef {ReturnType<typeof import("./draft.js").useDraft>} Draft
 * @typedef {import("./draft.js").Integration} Integration
 * @typedef {import("./json_text.js").JsonText} JsonText
 * @typedef {{ pointer: string, message: string, tone: "bad" | "info" }} Remark `pointer` is into the text's value
 */

/** @type {[string, string][]} */
const RETENTIONS = [
  ["", "30 days (not chosen)"],
  ["short", "7 days"],
  ["medium", "30 days"],
  ["long", "365 days"],
  ["none", "Not at all"],
];

/** @param {{ integration: Integration, draft: Draft, onPublished: () => void }} props */
export function DraftEditor({ integration, draft, onPublished }) {
  const { why, can } = useSession();
  const [publishing, setPublishing] = useState(false);
  const blocked = why(MANAGE) ?? (integration.deletedAt && "It is deleted: restore it first");
  const last = useResource(
    integration.currentVersion
      ? at`/v1/integrations/${integration.id}/versions/${integration.currentVersion}`
      : null,
  );
  const changes = integration.currentVersion
    ? changesBetween(contentOf(last.data), contentOf(draft.values))
    : [];
  const version = nextVersion(integration.currentVersion, last.data ? changes : []);
  const said = /** @type {any} */ (draft.failure)?.errors ?? [];
  const errors = [...said, ...(draft.report?.errors ?? [])];
  const wrong = draft.mistakes[0]?.message;
  /** @param {string} name */
  const remarksOf = (name) => {
    const of = (
      /** @type {{ pointer: string, message: string }[]} */ list,
      /** @type {"bad" | "info"} */ tone,
    ) =>
      list
        .filter((one) => one.pointer === `/${name}` || one.pointer.startsWith(`/${name}/`))
        .map((one) => ({ tone, pointer: one.pointer.slice(name.length + 1), message: one.message }));
    const nulls = draft.mistakes.filter(
      (one) => !draft.json[/** @type {"manifest"} */ (name)].mistake && one,
    );
    return [...of(errors, "bad"), ...of(nulls, "bad"), ...of(draft.report?.notices ?? [], "info")];
  };
  const placed = [
    "name",
    "description",
    "iconUrl",
    "visibility",
    "retentionTier",
    "trustTier",
    ...DOCUMENTS.map(([name]) => name),
  ];
  const loose = errors.filter(
    (one) => !placed.includes(one.pointer.split("/")[1] ?? "") && one.pointer !== "/version",
  );
  const check = async () => {
    const report = await draft.check(version);
    if (report?.publishable) setPublishing(true);
  };
  /** @param {string} name */
  const errorOf = (name) => errors.find((one) => one.pointer === `/${name}`)?.message;
  /** @param {string} name */
  const field = (name) => ({
    value: draft.typed[name] ?? "",
    error: errorOf(name),
    onChange: (/** @type {string} */ text) => draft.type(name, text),
  });
  const tiers = can(ADMIN)
    ? TIERS
    : TIERS.filter(([key]) => key === "community" || key === integration.trustTier);
  const count = draft.report?.errors.length ?? 0;
  return html`<div class="stack">
    <div class="toolbar tools">
      ${draft.dirty ? html`<${Badge} tone="warn">Unsaved changes</${Badge}>` : html`<${Badge} tone="ok">Saved</${Badge}>`}
      <span class="grow"></span>
      ${draft.dirty && !blocked && html`<${Button} kind="quiet" onClick=${draft.discard}>Discard them</${Button}>`}
      <${Button} why=${blocked ?? wrong ?? (!draft.dirty && "Nothing is changed")} busy=${draft.busy === "save"}
        onClick=${async () => (await draft.save()) && notify("The draft is saved")}>Save</${Button}>
      <${Button} kind="primary" why=${blocked ?? wrong} busy=${draft.busy === "check"} onClick=${check}>
        ${draft.dirty ? "Save and check" : "Check"} to publish</${Button}>
    </div>
    ${blocked && html`<p class="muted">You can read and try this draft, but not change it. ${blocked}.</p>`}
    ${draft.theirs && html`<${Conflict} draft=${draft} />`}
    ${draft.failure && !draft.theirs && html`<${Failure} error=${draft.failure} title="Nothing was saved" />`}
    ${
      count > 0 &&
      html`<${Banner} tone="bad" live title=${count === 1 ? "One problem prevents publishing" : `${count} problems prevent publishing`}>
        ${draft.dirty ? "You have edited since: check again. " : ""}Each stands at its line below.
        ${loose.length > 0 && html`<ul>${loose.map((one) => html`<li><code>${one.pointer}</code> ${one.message}</li>`)}</ul>`}
      </${Banner}>`
    }
    ${
      draft.report?.publishable &&
      html`<${Banner} tone="ok" live title="Nothing prevents publishing">
        <${Button} kind="small" why=${draft.dirty && "You have edited since: check again"} onClick=${() => setPublishing(true)}>Publish…</${Button}>
      </${Banner}>`
    }
    <section class="card stack">
      <div class="halves">
        <${TextField} label="Name" required maxlength="120" readonly=${Boolean(blocked)} ...${field("name")} />
        <${TextField} label="Icon" optional code type="url" help="An https address." readonly=${Boolean(blocked)} ...${field("iconUrl")} />
      </div>
      <${AreaField} label="Description" optional rows=${2} maxlength="2000" readonly=${Boolean(blocked)} ...${field("description")} />
      <div class="halves">
        <${SelectField} label="Visible" options=${VISIBILITIES} disabled=${Boolean(blocked)} ...${field("visibility")}
          help="Private: your organization. Unlisted: who knows its name. Public: the catalog." />
        <${SelectField} label="Once deleted, restorable for" options=${RETENTIONS} disabled=${Boolean(blocked)} ...${field("retentionTier")} />
        <${SelectField} label="Trust tier" options=${tiers} disabled=${Boolean(blocked)} ...${field("trustTier")}
          help=${!can(ADMIN) && "The operator vouches for the others."} />
      </div>
    </section>
    ${DOCUMENTS.map(
      ([name, label, help]) => html`<section class="card" key=${name}>
        <${JsonEditor} label=${label} help=${help} text=${draft.typed[name]} json=${draft.json[name]} remarks=${remarksOf(name)}
          readOnly=${Boolean(blocked)} onChange=${(/** @type {string} */ text) => draft.type(name, text)} />
      </section>`,
    )}
    ${
      publishing &&
      html`<${Publish} integration=${integration} proposed=${version} changes=${changes} notices=${draft.report?.notices ?? []}
        onClose=${() => setPublishing(false)} onPublished=${onPublished} />`
    }
  </div>`;
}

/** What a release has of its own, to be compared. @param {any} of */
const contentOf = (of) => {
  const { name, description, iconUrl, variablesSchema, authConfig, manifest } = of ?? {};
  return { name, description, iconUrl, variablesSchema, authConfig, manifest };
};

/** @param {{ draft: Draft }} props */
function Conflict({ draft }) {
  const changes = draft.conflicts();
  const both = changes.some((change) => change.both);
  return html`<${Banner} tone="warn" live title="Somebody else changed this draft since you read it">
    <p>Nothing you typed is lost, and nothing is saved yet. They changed:</p>
    <ul>${changes.slice(0, 12).map((change) => html`<li><code>${change.pointer}</code>${change.both && html` <strong>– you changed this, too</strong>`}</li>`)}
      ${changes.length > 12 && html`<li>and ${changes.length - 12} more</li>`}</ul>
    <p class="row">
      <${Button} kind="primary" busy=${draft.busy === "save"} onClick=${() => draft.save(draft.theirs?.etag ?? null)}>
        ${both ? "Save mine over theirs" : "Save mine beside theirs"}</${Button}>
      <${Button} onClick=${draft.takeTheirs}>Take theirs, drop mine</${Button}>
    </p>
  </${Banner}>`;
}

const MOST_CHANGES = 20;

/**
 * @param {{ integration: Integration, proposed: string, changes: import("./json_text.js").Change[],
 *   notices: { pointer: string, message: string }[], onClose: () => void, onPublished: () => void }} props
 */
function Publish({ integration, proposed, changes, notices, onClose, onPublished }) {
  const [version, setVersion] = useState(proposed);
  const [changelog, setChangelog] = useState("");
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState(/** @type {any} */ (null));
  const attempt = useRef({ of: "", key: "" });
  useEffect(() => setFailure(null), [version]);
  const publish = async () => {
    const body = { version: version.trim(), ...(changelog.trim() ? { changelog: changelog.trim() } : {}) };
    const of = JSON.stringify(body);
    if (attempt.current.of !== of) attempt.current = { of, key: crypto.randomUUID() };
    setBusy(true);
    try {
      await request(at`/v1/integrations/${integration.id}/publish`, { body, key: attempt.current.key });
      notify(`${body.version} is published`);
      onPublished();
      onClose();
    } catch (error) {
      setFailure(error);
    } finally {
      setBusy(false);
    }
  };
  /** @type {{ pointer: string, message: string }[]} */
  const errors = failure?.errors ?? [];
  const wrongVersion = errors.find((one) => one.pointer === "/version")?.message;
  return html`<${FormDialog} title=${`Publish ${integration.name}`} confirm=${`Publish ${version}`} busy=${busy} error=${wrongVersion ? null : failure}
    failed="It was not published" onSubmit=${publish} onClose=${onClose}>
    <${TextField} label="Version" required code maxlength="64" value=${version} onChange=${setVersion} error=${wrongVersion}
      help=${`${integration.currentVersion ? `The current one is ${integration.currentVersion}. ` : ""}A release never changes.`} />
    <${AreaField} label="What is new" optional maxlength="4000" value=${changelog} onChange=${setChangelog} error=${errors.find((one) => one.pointer === "/changelog")?.message} />
    ${
      integration.currentVersion &&
      html`<div><h3>${changes.length ? `Against ${integration.currentVersion}` : `Nothing differs from ${integration.currentVersion}`}</h3>
        <ul class="changes">${changes.slice(0, MOST_CHANGES).map((change) => html`<li><span class="chip">${change.kind}</span> <code>${change.pointer}</code></li>`)}
        ${changes.length > MOST_CHANGES && html`<li class="muted">and ${changes.length - MOST_CHANGES} more</li>`}</ul></div>`
    }
    ${notices.map((one) => html`<${Banner} tone="info"><code>${one.pointer}</code> ${one.message}</${Banner}>`)}
  </${FormDialog}>`;
}

// ---------------------------------------------------------------- JSON with line numbers

const MOST_LINES_SEEN = 34;

/**
 * The key Tab leaves the editor, as everywhere. After Control + M it indents, until Escape or the editor is left.
 *
 * @param {{ label: string, help: unknown, text: string, json: JsonText, remarks: Remark[],
 *   onChange: (text: string) => void, readOnly?: boolean }} props
 */
function JsonEditor({ label, help, text, json, remarks, onChange, readOnly = false }) {
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

/** One of the organization's own integrations: its draft, a trial of it, its releases, and what it is. */

import { at, useAction, useList, useResource } from "../../kit/api.js";
import {
  Badge,
  Banner,
  Button,
  Confirm,
  Empty,
  exactly,
  Failure,
  Loading,
  notify,
  Picture,
  Table,
  Time,
} from "../../kit/elements.js";
import { html, useEffect, useRef, useState } from "../../vendor/preact.js";
import { Back, href, ListView, MANAGE, PageHead, useQuery, useSession } from "../dashboard.js";
import { useDraft } from "../draft.js";
import { DraftEditor } from "../draft_editor.js";
import { AreaField, FormDialog, unshown } from "../fields.js";
import { Copyable, Facts, Remarks, TIERS, VISIBILITIES, wordOf } from "../release_view.js";

/**
 * @typedef {import("#api").components["schemas"]["Integration"]} Integration
 * @typedef {import("#api").components["schemas"]["ReleaseSummary"]} Summary
 */

/** @type {[string, string][]} */
const TABS = [
  ["", "Draft"],
  ["try", "Try it"],
  ["releases", "Releases"],
  ["about", "About"],
];

/** @param {Record<string, string>} props */
export default function IntegrationPage({ integrationId = "" }) {
  const read = useResource(at`/v1/integrations/${integrationId}`);
  if (!read.data) {
    return html`<div class="stack"><${PageHead} title="Integration" above=${html`<${Back} href=${href("/integrations")}>Integrations</${Back}>`} />
      ${read.error ? html`<${Failure} error=${read.error} retry=${read.reload} />` : html`<${Loading} lines=${6} />`}</div>`;
  }
  return html`<${Shown} integration=${read.data} etag=${read.etag} replace=${read.replace} reload=${read.reload} />`;
}

/**
 * @param {{ integration: Integration, etag: string | null, reload: () => void,
 *   replace: (integration: Integration, etag: string | null) => void }} props
 */
function Shown({ integration, etag, reload, replace }) {
  const { why } = useSession();
  const [view] = useQuery("view");
  const draft = useDraft(integration, etag, replace);
  const changing = useAction();
  const [deleting, setDeleting] = useState(false);
  const path = at`/v1/integrations/${integration.id}`;
  const [trial, setTrial] = useState(/** @type {{ of: any } | null} */ (null));
  useEffect(() => {
    // Read when it is first seen.
    if (view === "try") import("../draft_trial.js").then((module) => setTrial({ of: module.Trial }));
  }, [view]);
  const unsaved = useRef("");
  unsaved.current = draft.dirty ? integration.name : "";
  useEffect(
    () => () => {
      if (unsaved.current) notify(`Unsaved changes to ${unsaved.current} wait in this tab`, "warn");
    },
    [],
  );
  const remove = async () => {
    if (!(await changing.run(path, { method: "DELETE" }))) return;
    setDeleting(false);
    notify("Deleted");
    reload();
  };
  const restore = async () => {
    const restored = await changing.run(`${path}/restore`);
    if (restored) reload();
  };
  return html`<div class="stack">
    <${PageHead} title=${integration.name} above=${html`<${Back} href=${href("/integrations")}>Integrations</${Back}>`}
      picture=${html`<${Picture} src=${integration.iconUrl} name=${integration.name} size=${44} />`}
      actions=${
        integration.deletedAt
          ? html`<${Button} why=${why(MANAGE)} busy=${changing.busy} onClick=${restore}>Restore</${Button}>`
          : html`<${Button} why=${why(MANAGE)} onClick=${() => setDeleting(true)}>Delete…</${Button}>`
      }>
      <p class="row"><code class="muted">${integration.key}</code>
        <${Badge} tone=${integration.currentVersion ? "ok" : "idle"} icon=${integration.currentVersion ? "check" : "skip"}>${integration.currentVersion ?? "Draft only"}</${Badge}>
        <span class="chip">${wordOf(VISIBILITIES, integration.visibility)}</span></p>
    </${PageHead}>
    ${
      integration.deletedAt &&
      html`<${Banner} tone="warn" title="Deleted">It was deleted on ${exactly(integration.deletedAt)}. Nothing new can use it. It can be restored until its retention ends.</${Banner}>`
    }
    ${changing.error && !deleting && html`<${Failure} error=${changing.error} title="Nothing was changed" />`}
    <nav class="tabs" aria-label="Integration">
      ${TABS.map(
        ([
          key,
          word,
        ]) => html`<a key=${key} href=${href(at`/integrations/${integration.id}`, key ? { view: key } : {})}
          aria-current=${view === key ? "page" : undefined}>${word}${!key && draft.dirty && html` <span aria-hidden="true">•</span><span class="visually-hidden">with unsaved changes</span>`}</a>`,
      )}
    </nav>
    ${view === "" && html`<${DraftEditor} integration=${integration} draft=${draft} onPublished=${reload} />`}
    ${
      view === "try" &&
      (trial
        ? html`<${trial.of} integrationId=${integration.id} definition=${draft.mistakes.length ? integration : draft.values}
        before=${draft.dirty && !why(MANAGE) ? draft.save : null}
        why=${draft.mistakes[0]?.message ?? (integration.deletedAt && "It is deleted: restore it first")} />
        ${draft.failure && html`<${Failure} error=${draft.failure} title="The draft was not saved" />`}`
        : html`<${Loading} />`)
    }
    ${view === "releases" && html`<${Releases} integration=${integration} onChanged=${reload} />`}
    ${view === "about" && html`<${About} integration=${integration} />`}
    ${
      deleting &&
      html`<${Confirm} title=${`Delete ${integration.name}?`} confirm="Delete" busy=${changing.busy} error=${changing.error}
        onConfirm=${remove} onClose=${() => setDeleting(false)}>
        It leaves the catalog, and nothing new can use it. What uses a release keeps working. You can restore it until its retention ends.
      </${Confirm}>`
    }
  </div>`;
}

/** @param {{ integration: Integration, onChanged: () => void }} props */
function Releases({ integration, onChanged }) {
  const { why } = useSession();
  const list = useList(`${at`/v1/integrations/${integration.id}/versions`}?limit=50`);
  const [changing, change] = useState(/** @type {Summary | null} */ (null));
  const empty = html`<${Empty} icon="book" title="Nothing is published yet"
    action=${html`<a class="button" href=${href(at`/integrations/${integration.id}`)}>To the draft</a>`}>
    Check the draft, and publish it as the first release.</${Empty}>`;
  return html`<${ListView} list=${list} empty=${empty}>
    <div class="card flush"><${Table} caption="Releases" heads=${["Version", "What is new", html`<span class="wide">Published</span>`, html`<span class="wide">By</span>`, ""]}>
      ${
        /** @type {Summary[]} */ (list.items).map(
          (one) => html`<tr key=${one.version}>
          <th scope="row"><div class="row"><code>${one.version}</code>${one.version === integration.currentVersion && html`<${Badge} tone="ok">Current</${Badge}>`}</div><div class="narrow muted"><${Time} at=${one.publishedAt} /></div></th>
          <td><div class="row"><${Remarks} release=${one} /></div><div class="wrapped" dir="auto">${one.changelog ?? html`<span class="muted">–</span>`}</div></td>
          <td class="wide"><${Time} at=${one.publishedAt} /></td>
          <td class="mono clip wide">${one.publishedBy}</td>
          <td class="numeric"><${Button} kind="small" why=${why(MANAGE)} label=${`Change ${one.version}`} onClick=${() => change(one)}>Change…</${Button}></td>
        </tr>`,
        )
      }
    </${Table}></div>
    ${
      changing &&
      html`<${ChangeRelease} integration=${integration} release=${changing} onClose=${() => change(null)} onChanged=${() => {
        list.reload();
        onChanged();
      }} />`
    }
  </${ListView}>`;
}

/** @param {{ integration: Integration, release: Summary, onClose: () => void, onChanged: () => void }} props */
function ChangeRelease({ integration, release, onClose, onChanged }) {
  const [typed, setTyped] = useState({
    changelog: release.changelog ?? "",
    deprecated: release.deprecated ?? "",
    yanked: release.yanked ?? "",
  });
  const saving = useAction();
  const save = async () => {
    const body = Object.fromEntries(
      Object.entries(typed)
        .map(([name, text]) => [name, text.trim() || null])
        .filter(([name, text]) => text !== release[/** @type {"yanked"} */ (name)]),
    );
    const path = at`/v1/integrations/${integration.id}/versions/${release.version}`;
    if (Object.keys(body).length && !(await saving.run(path, { method: "PATCH", body }))) return;
    onChanged();
    onClose();
  };
  /** @param {keyof typeof typed} name @param {string} label @param {string} help @param {number} rows */
  const field = (
    name,
    label,
    help,
    rows,
  ) => html`<${AreaField} label=${label} help=${help} optional rows=${rows} value=${typed[name]}
    onChange=${(/** @type {string} */ text) => setTyped({ ...typed, [name]: text })} error=${saving.errorAt(`/${name}`)} />`;
  const error = unshown(saving.error, ["/changelog", "/deprecated", "/yanked"]);
  return html`<${FormDialog} title=${`Release ${release.version}`} confirm="Save" busy=${saving.busy} error=${error} onSubmit=${save} onClose=${onClose}>
    ${field("changelog", "What is new", "Its content never changes; what is said about it can.", 3)}
    ${field("deprecated", "Deprecated, because", "It still works, and people are told to use another one.", 1)}
    ${field("yanked", "Withdrawn, because", "It is broken or unsafe: nothing new is made of it. What has it keeps it.", 1)}
  </${FormDialog}>`;
}

/** @param {{ integration: Integration }} props */
const About = ({ integration: one }) => html`<section class="card">
  <${Facts} facts=${[
    ["Id", html`<${Copyable} text=${one.id} />`],
    ["Key", html`<${Copyable} text=${one.key} />`],
    ["Name", html`<bdi>${one.name}</bdi>`],
    ["Description", html`<span class="wrapped" dir="auto">${one.description ?? "–"}</span>`],
    ["Publisher", html`<bdi>${one.publisher}</bdi>`],
    ["Slug", html`<code>${one.slug}</code>`],
    ["Workspace", html`<code>${one.workspaceId}</code>`],
    ["Icon", html`<span class="mono">${one.iconUrl ?? "–"}</span>`],
    ["Trust tier", wordOf(TIERS, one.trustTier)],
    ["Visibility", wordOf(VISIBILITIES, one.visibility)],
    ["Current version", one.currentVersion ?? "–"],
    ["Retention tier", one.retentionTier ?? "Not chosen: 30 days"],
    ["Created", html`<${Time} at=${one.createdAt} /> by <code>${one.createdBy}</code>`],
    ["Changed", html`<${Time} at=${one.updatedAt} />`],
    ["Deleted", html`<${Time} at=${one.deletedAt} />`],
  ]} />
</section>`;

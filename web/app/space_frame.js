/** What the pages of a space have in common: its name, what can be done with it, and its tabs. */

import { at, useAction, useResource } from "../kit/api.js";
import { Badge, Button, Dialog, Failure, Field, notify } from "../kit/elements.js";
import { html, useEffect, useState } from "../vendor/preact.js";
import { Back, href, MANAGE, PageHead, usePath, useSession } from "./dashboard.js";

/**
 * @typedef {import("#api").components["schemas"]["Space"]} Space
 * @typedef {import("../vendor/preact.js").ComponentChildren} Children
 */

/** @type {[string, string][]} */
const TABS = [
  ["", "Health"],
  ["/events", "Events"],
  ["/alerts", "Alerts"],
  ["/rules", "Rules"],
];

// From tab to tab, the name stands while it is read anew.
/** @type {Map<string, Space>} */
const known = new Map();

/**
 * The frame of a page of a space. Its content is drawn at once, and only left out if the space can't
 * be read.
 *
 * @param {{ slug: string, actions?: Children, children?: Children }} props
 *   `actions` are the page's own, before those of the space
 */
export function SpaceFrame({ slug, actions, children }) {
  const { session, why } = useSession();
  const path = at`/spaces/${slug}`;
  const read = useResource(path);
  const [renaming, setRenaming] = useState(false);
  const changing = useAction();
  const space = /** @type {Space | null} */ (read.data) ?? known.get(slug);
  useEffect(() => {
    if (read.data) known.set(slug, /** @type {Space} */ (read.data));
  }, [read.data]);
  const pause = async () => {
    const paused = !space?.paused;
    const changed = await changing.run(path, { method: "PATCH", body: { paused }, ifMatch: read.etag });
    if (!changed) return;
    read.replace(changed, changing.etag());
    notify(paused ? "Paused: nothing of this space is tested by itself" : "Running again");
  };
  const above = !session.space && html`<${Back} href=${href("/")}>Overview</${Back}>`;
  if (read.error && !read.data) {
    return html`<div class="stack"><${PageHead} title=${slug} above=${above} />
      <${Failure} error=${read.error} retry=${read.reload} title="This space can't be shown" /></div>`;
  }
  return html`<div class="stack">
    <${PageHead}
      title=${space?.name ?? slug}
      above=${above}
      actions=${html`${actions}
        <${Button} kind="small" why=${why(MANAGE)} onClick=${() => setRenaming(true)}>Rename</${Button}>
        <${Button} kind="small" why=${why(MANAGE)} busy=${changing.busy} onClick=${pause}>
          ${space?.paused ? "Resume" : "Pause"}
        </${Button}>`}
    >
      <p class="row">
        <code class="muted">${slug}</code>
        ${space?.paused && html`<${Badge} tone="idle" icon="pause">Paused</${Badge}>`}
      </p>
    </${PageHead}>
    ${changing.error && html`<${Failure} error=${changing.error} title="The space was not changed" />`}
    <${Tabs} slug=${slug} />
    ${children}
    ${renaming && space && html`<${Rename} space=${space} etag=${read.etag} onDone=${read.reload} onClose=${() => setRenaming(false)} />`}
  </div>`;
}

/** @param {{ slug: string }} props */
function Tabs({ slug }) {
  const path = usePath();
  const own = `/app${at`/spaces/${slug}`}`;
  return html`<nav class="tabs" aria-label="Space">
    ${TABS.map(([end, word]) => {
      const here = end ? path.startsWith(own + end) : path === own;
      return html`<a key=${end} href=${href(at`/spaces/${slug}` + end)} aria-current=${here ? "page" : undefined}>${word}</a>`;
    })}
  </nav>`;
}

/** @param {{ space: Space, etag: string | null, onDone: () => void, onClose: () => void }} props */
function Rename({ space, etag, onDone, onClose }) {
  const [name, setName] = useState(space.name);
  const saving = useAction();
  /** @param {Event} event */
  const save = async (event) => {
    event.preventDefault();
    const body = { name };
    const saved = await saving.run(at`/spaces/${space.slug}`, { method: "PATCH", body, ifMatch: etag });
    if (!saved) return;
    notify("Renamed");
    onDone();
    onClose();
  };
  /** @param {Event} event */
  const type = (event) => setName(/** @type {HTMLInputElement} */ (event.target).value);
  return html`<${Dialog} title="Rename the space" onClose=${onClose}>
    <form class="stack" onSubmit=${save} novalidate>
      <${Field} label="Name" required error=${saving.errorAt("/name")} help="The slug, by which it is addressed, stays.">
        ${(/** @type {Record<string, unknown>} */ control) =>
          html`<input ...${control} type="text" dir="auto" autofocus value=${name} onInput=${type} />`}
      </${Field}>
      ${saving.error && !saving.errorAt("/name") && html`<${Failure} error=${saving.error} title="It was not renamed" />`}
      <div class="row spread">
        <${Button} onClick=${onClose}>Cancel</${Button}>
        <${Button} type="submit" kind="primary" busy=${saving.busy}>Rename</${Button}>
      </div>
    </form>
  </${Dialog}>`;
}

/** Trying a definition: values are entered, tested with each step as it ends, and not stored. */

import { ApiError, newKey, request } from "../kit/api.js";
import { Badge, Banner, Button, duration, Failure, StepList } from "../kit/elements.js";
import { controlOf } from "../kit/schema_form.js";
import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { TEST, useSession } from "./dashboard.js";
import { DefinitionForm, nothingEntered } from "./form_preview.js";
import { rolesOf } from "./release_view.js";

/**
 * @typedef {import("./release_view.js").Definition} Definition
 * @typedef {import("./form_preview.js").Entered} Entered
 * @typedef {import("#api").components["schemas"]["DryRunResult"]} Result
 * @typedef {import("../kit/elements.js").Step} Step
 */

const POLL_MS = 1000;

/**
 * @param {{ integrationId: string, definition: Definition, before?: (() => Promise<unknown>) | null,
 *   why?: string | false | null }} props `before` saves what is to be tried
 */
export function Trial({ integrationId, definition, before = null, why: blocked }) {
  const { connectors, why } = useSession();
  const roles = rolesOf(definition);
  const [kind, setKind] = useState(roles.includes("source") ? "sources" : "destinations");
  const [entered, enter] = useState(nothingEntered);
  const [running, setRunning] = useState(false);
  const [steps, setSteps] = useState(/** @type {Step[]} */ ([]));
  const [result, setResult] = useState(/** @type {Result | null} */ (null));
  const [failure, setFailure] = useState(/** @type {Error | null} */ (null));
  const form = useRef(/** @type {HTMLElement | null} */ (null));
  const ended = useRef(new AbortController());
  useEffect(() => () => ended.current.abort(), []);

  /** Follows the test until its answer is there. @param {string} progress @param {AbortSignal} signal */
  const follow = async (progress, signal) => {
    while (!signal.aborted) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      const read = await request(`${connectors}/test-progress/${progress}`, { signal }).catch(() => null);
      if (read && !signal.aborted) setSteps(read.data.steps);
    }
  };
  /** @param {Event} event */
  const run = async (event) => {
    event.preventDefault();
    if (before && !(await before())) return;
    ended.current = new AbortController();
    const { signal } = ended.current;
    const answered = new AbortController();
    signal.addEventListener("abort", () => answered.abort());
    setRunning(true);
    setSteps([]);
    setResult(null);
    setFailure(null);
    const progress = newKey();
    follow(progress, answered.signal);
    try {
      const body = { integration_id: integrationId, ...entered, progress };
      const { data } = await request(`${connectors}/${kind}/test`, { body, signal });
      setResult(data);
      setSteps(data.steps);
    } catch (error) {
      if (!signal.aborted) setFailure(/** @type {Error} */ (error));
    } finally {
      answered.abort();
      if (!signal.aborted) setRunning(false);
    }
  };

  const refused = failure instanceof ApiError ? failure.errors : [];
  const found = (result?.steps ?? [])
    .filter((step) => step.status === "failed" && step.field_pointer)
    .map((step) => ({ pointer: String(step.field_pointer), message: step.diagnosis?.title ?? step.summary }));
  const problems = [...refused, ...found];
  /** @param {keyof Entered} part */
  const errorsOf = (part) =>
    new Map(
      problems
        .filter((one) => one.pointer.startsWith(`/${part}/`))
        .map((one) => [one.pointer.slice(part.length + 1), one.message]),
    );
  useEffect(() => {
    const [first] = problems;
    const wanted = first?.pointer.replace(/^\/(variables|secrets|configurations)/, "") ?? "";
    if (first && form.current) controlOf(form.current, wanted)?.focus();
  }, [result, failure]);

  return html`<div class="twins">
    <form class="card stack" onSubmit=${run} novalidate ref=${form}>
      <h2>Try it</h2>
      <p class="muted">It is tested as it stands in the draft. Nothing that you enter is stored.</p>
      ${
        roles.length > 1 &&
        html`<div class="row"><label for="trial-kind">As</label>
          <select id="trial-kind" class="auto" value=${kind} onChange=${(/** @type {any} */ event) => setKind(event.target.value)}>
            <option value="sources">Source</option><option value="destinations">Destination</option>
          </select></div>`
      }
      <${DefinitionForm} definition=${definition} entered=${entered} onChange=${enter} errors=${errorsOf} />
      <div><${Button} type="submit" kind="primary" busy=${running} why=${why(TEST) ?? blocked}>
        ${before ? "Save and test" : result || failure ? "Test again" : "Test"}</${Button}></div>
    </form>
    <section class="card stack" aria-label="Result of the test">
      <h2>Result</h2>
      ${
        result &&
        html`<div class="row" role="status"><${Badge} tone=${result.status === "succeeded" ? "ok" : "bad"}>${result.status === "succeeded" ? "Succeeded" : "Failed"}</${Badge}>
          <span class="muted">${duration(result.latency_ms)}</span>
          ${result.account && html`<span class="muted">as <bdi>${result.account}</bdi></span>`}</div>
          <p dir="auto">${result.message}</p>`
      }
      ${failure && html`<${Failure} error=${failure} title="It was not tested" />`}
      ${
        running || steps.length > 0
          ? html`<${StepList} steps=${steps} running=${running} />`
          : !failure && html`<p class="muted">Each step stands here as it ends.</p>`
      }
      ${result?.status === "succeeded" && !result.verified && html`<${Banner} tone="warn" title="No step proved the credentials">Add a step that fails without them.</${Banner}>`}
    </section>
  </div>`;
}

/** A connection: how it is doing, whose move it is, its tests, and what can be done with it. */

import { ApiError, at, request, useAction, useResource } from "../../kit/api.js";
import {
  ago,
  Badge,
  Banner,
  Button,
  Confirm,
  Dialog,
  duration,
  Empty,
  exactly,
  Failure,
  Field,
  Loading,
  notify,
  number,
  Picture,
  StepList,
  Time,
} from "../../kit/elements.js";
import { html, useCallback, useEffect, useId, useRef, useState } from "../../vendor/preact.js";
import { nextMove, reasonOf, since, stateOf, whoseMove } from "../connection_words.js";
import { Back, ChangeFailure, go, href, MANAGE, PageHead, TEST, useSession } from "../dashboard.js";

/**
 * @typedef {import("#api").components["schemas"]["Connection"]} Connection
 * @typedef {import("#api").components["schemas"]["Endpoint"]} Endpoint
 * @typedef {import("#api").components["schemas"]["Release"]} Release
 * @typedef {import("#api").components["schemas"]["RecordedTest"]} RecordedTest
 * @typedef {import("#api").components["schemas"]["GrantView"]} GrantView
 * @typedef {import("#api").components["schemas"]["WhatChanged"]} WhatChanged
 * @typedef {import("#api").components["schemas"]["ConnectionRecord"]} ConnectionRecord
 * @typedef {import("../../kit/elements.js").Tone} Tone
 * @typedef {import("../../kit/api.js").Resource<Connection>} ConnectionRead
 * @typedef {import("../../kit/api.js").Resource<GrantView>} GrantRead
 */

const SHOWN_TESTS = 50;
const LOOK_AGAIN = 30;
/** @type {Record<import("#api").components["schemas"]["CapabilityStatus"], Tone>} */
const CAPABILITY_TONES = { proven: "ok", at_risk: "warn", untested: "idle" };
const POLL_MS = 1000;
const LONGEST_TEST_MS = 600_000;
const MENDED_BY_LINK = ["reauthorize", "grant_permission", "fix_config"];

/** The steps of every test, which have no author to name them. @type {Record<string, string>} */
const OWN_STEPS = {
  config: "Settings",
  secrets: "Secrets",
  egress: "Address may be dialed",
  dns: "Host name (DNS)",
  tcp: "Connection (TCP)",
  tls: "Encryption (TLS)",
  grant: "Account",
  configurations: "Settings of the connection",
};

/** @param {{ connectionId: string }} props */
export default function ConnectionPage({ connectionId }) {
  const { connectors, session } = useSession();
  const path = connectors + at`/connections/${connectionId}`;
  const read = /** @type {ConnectionRead} */ (useResource(path, { every: LOOK_AGAIN }));
  const connection = read.data;
  const tests = /** @type {import("../../kit/api.js").Resource<{ items: RecordedTest[] }>} */ (
    useResource(`${path}/tests?limit=${SHOWN_TESTS}`)
  );
  // A key of one space sees its connections, not what they are made of.
  const sourcePath = connection && !session.space ? connectors + at`/sources/${connection.source_id}` : null;
  const source = /** @type {import("../../kit/api.js").Resource<Endpoint>} */ (useResource(sourcePath));
  const release = /** @type {import("../../kit/api.js").Resource<Release>} */ (
    useResource(sourcePath && `${sourcePath}/release`)
  );
  const auth = /** @type {{ type?: string } | null | undefined} */ (release.data?.authConfig);
  const grant = /** @type {GrantRead} */ (
    useResource(auth?.type === "oauth2" && sourcePath ? `${sourcePath}/grant` : null)
  );
  const checked = connection?.health.checked_at;
  const known = useRef(checked);
  useEffect(() => {
    // Somebody else, or the monitor, has tested it.
    if (known.current && checked !== known.current) tests.reload();
    known.current = checked;
  }, [checked]);
  const reload = useCallback(() => {
    read.reload();
    tests.reload();
  }, [read.reload, tests.reload]);
  const run = useTestRun(path, reload);
  const above = html`<${Back} href=${href("/connections")}>Connections</${Back}>`;
  if (!connection) {
    return html`<div class="stack">
      <${PageHead} title="Connection" above=${above} />
      ${read.error ? html`<${Failure} error=${read.error} retry=${reload} title="This connection can't be shown" />` : html`<${Loading} lines=${6} />`}
    </div>`;
  }
  const provider = release.data?.name ?? source.data?.integration ?? "the provider";
  return html`<div class="stack">
    <${PageHead} title=${connection.name} above=${above} actions=${html`<${HeadActions} connection=${connection} source=${source.data} action=${actionOf(connection, grant.data)} run=${run} />`}>
      <p class="row muted">
        ${
          source.data &&
          html`<${Picture} src=${release.data?.iconUrl} name=${provider} size=${20} /><bdi>${provider}</bdi>
            <span class="wide" aria-hidden="true">·</span>`
        }
        <a href=${href(at`/spaces/${connection.space}`)}>${connection.space}</a>
        <span class="wide" aria-hidden="true">·</span>
        <code>${connection.id}</code>
      </p>
    </${PageHead}>
    ${read.error && html`<${Failure} error=${read.error} retry=${read.reload} title="What you see may be old" />`}
    <div class="beside">
      <div class="stack">
        <${State} connection=${connection} grant=${grant.data} provider=${provider} source=${source.data} newest=${tests.data?.items.find(ended)} />
        <${Tests} tests=${tests} run=${run} />
      </div>
      <div class="stack">
        <${MonitorCard} read=${read} connection=${connection} path=${path} />
        ${
          sourcePath &&
          html`<${Credentials} source=${source} grant=${grant} newest=${tests.data?.items.find(sawCertificate)} />
            <${EndpointCard} title="Source" read=${source} release=${release.data} />
            ${connection.destination_id && html`<${Destination} id=${connection.destination_id} />`}`
        }
        <${Uses} read=${read} connection=${connection} path=${path} category=${source.data?.category} />
        <${Manage} read=${read} connection=${connection} path=${path} />
      </div>
    </div>
  </div>`;
}

/** @param {RecordedTest} test */
const ended = (test) => test.status === "succeeded" || test.status === "failed";
/** @param {RecordedTest} test */
const sawCertificate = (test) => Boolean(test.certificate_expires_at);

// ---------------------------------------------------------------- test now

/**
 * @typedef {{ test: RecordedTest | null, busy: boolean, error: ApiError | null, start: () => void }} TestRun
 */

/**
 * A test that a person asks for, followed once a second until it ends.
 *
 * @param {string} path of the connection
 * @param {() => void} onEnd
 * @returns {TestRun}
 */
function useTestRun(path, onEnd) {
  const starting = useAction();
  const [test, setTest] = useState(/** @type {RecordedTest | null} */ (null));
  const [error, setError] = useState(/** @type {ApiError | null} */ (null));
  const following = test !== null && !ended(test) && !error;
  useEffect(() => {
    if (!test || !following) return undefined;
    const stopped = new AbortController();
    const began = Date.now();
    let timer = setTimeout(look, POLL_MS);
    async function look() {
      let wait = POLL_MS;
      // A hidden page asks nothing.
      if (!document.hidden) {
        try {
          const { data } = await request(/** @type {RecordedTest} */ (test).href, { signal: stopped.signal });
          setTest(data);
          if (ended(data)) return onEnd();
        } catch (failure) {
          if (stopped.signal.aborted) return;
          const said = failure instanceof ApiError ? failure : new ApiError(String(failure));
          const passes = said.status === 0 || said.status === 429 || said.status >= 500;
          if (!passes || Date.now() - began > LONGEST_TEST_MS) return setError(said);
          wait = Math.max(POLL_MS, said.retryAfter * 1000);
        }
      }
      timer = setTimeout(look, wait);
    }
    return () => {
      stopped.abort();
      clearTimeout(timer);
    };
  }, [test?.id, following]);
  const start = async () => {
    setError(null);
    const queued = await starting.run(`${path}/test?mode=async&follow=true`);
    if (queued) setTest(queued);
  };
  return { test, busy: starting.busy || following, error: error ?? starting.error, start };
}

/**
 * @param {{ connection: Connection, source: Endpoint | null, action: Connection["required_action"],
 *   run: TestRun }} props
 */
function HeadActions({ connection, source, action, run }) {
  const { session, why } = useSession();
  const [Repair, setRepair] = useState(/** @type {{ dialog: unknown } | null} */ (null));
  const repair = async () => {
    const { RepairDialog } = await import("../install_links.js");
    setRepair({ dialog: RepairDialog });
  };
  const cannot = why(MANAGE) ?? (session.space ? "A key of one space can't make links" : null);
  const untestable =
    why(TEST) ?? (connection.status === "disabled" ? "A disabled connection is not tested" : null);
  // What helps comes first.
  const mends = !cannot && MENDED_BY_LINK.includes(action);
  return html`
    <${Button} kind=${mends ? "" : "primary"} why=${untestable} busy=${run.busy} onClick=${run.start}>Test now</${Button}>
    <${Button} kind=${mends ? "primary" : ""} why=${cannot} onClick=${repair}>Repair link</${Button}>
    ${Repair && html`<${Repair.dialog} connection=${connection} source=${source} onClose=${() => setRepair(null)} />`}
  `;
}

// ---------------------------------------------------------------- the state in words

/**
 * What there is to do: after its tests, or for an access that will end while they still pass.
 *
 * @param {Connection} connection
 * @param {GrantView | null} grant
 */
const actionOf = (connection, grant) =>
  connection.required_action === "none" ? (grant?.required_action ?? "none") : connection.required_action;

/**
 * What is wrong with the account's access, while the connection works.
 *
 * @param {GrantView} grant
 */
function accessInWords(grant) {
  if (grant.status === "reauthorize") return "Connected, but the access has ended";
  if (grant.status === "expiring")
    return `Connected, but the access ends ${grant.ends_at ? ago(grant.ends_at) : "soon"}`;
  if (grant.status === "failing") return "Connected, but the access can't be renewed now";
  return grant.scopes_missing.length ? "Connected, but scopes are missing" : null;
}

/**
 * @param {Connection} connection
 * @param {string} provider
 * @param {RecordedTest | undefined} newest
 * @param {GrantView | null} grant
 * @returns {[Tone, string, string]} tone, what it is, and since when
 */
function inWords(connection, provider, newest, grant) {
  const { status, health } = connection;
  const began = health.since ? since(health.since) : null;
  if (status === "draft")
    return ["idle", "Not finished yet", "A draft is tested on demand. Activate it when it is complete."];
  if (status === "paused") return ["idle", "Its monitor does not run", "It can be tested on demand."];
  if (status === "disabled") return ["idle", "Nothing is dialed for it", "Enable it to use it again."];
  const failed = health.consecutive_failures;
  const row = failed === 1 ? "The last test failed." : `The last ${number(failed)} tests failed.`;
  const step = newest?.steps.find((one) => one.status === "failed");
  const title = newest?.code === health.error_code ? step?.diagnosis?.title : undefined;
  if (health.status === "connected") {
    const access = grant && !failed ? accessInWords(grant) : null;
    if (access) return ["warn", access, ""];
    if (!failed) return ["ok", `Connected to ${provider}`, began ? `For ${began} now.` : ""];
    return ["warn", `Connected, but ${lowered(reasonOf(health.error_code, provider, title))}`, row];
  }
  if (health.status === "unknown") return ["idle", "Not tested yet", "Test it now to see whether it works."];
  return ["bad", reasonOf(health.error_code, provider, title), `${began ? `For ${began} now. ` : ""}${row}`];
}

/** @param {string} text */
const lowered = (text) =>
  text.startsWith("The ") || text.startsWith("A ") ? text.charAt(0).toLowerCase() + text.slice(1) : text;

/**
 * @param {{ connection: Connection, grant: GrantView | null, provider: string, source: Endpoint | null,
 *   newest: RecordedTest | undefined }} props
 */
function State({ connection, grant, provider, source, newest }) {
  const { session } = useSession();
  const { health } = connection;
  const action = actionOf(connection, grant);
  const [tone, what, details] = inWords(connection, provider, newest, grant);
  const [, word] = stateOf(connection.status, health.status);
  const managed = source?.ownership_mode === "managed";
  const move = source || session.space ? nextMove(action, { provider, managed }) : "";
  const blame = newest?.status === "failed" ? newest.blame : null;
  return html`<section class=${`card state ${tone}`} aria-label="State">
    <div class="row"><${Badge} tone=${tone} icon=${connection.status === "active" ? undefined : "pause"}>${word}</${Badge}>${blame && html`<span class="muted">${whoseMove(blame, managed)}</span>`}</div>
    <h2>${what}</h2>
    ${(details || move) && html`<p>${details} ${move && html`<strong>${move}</strong>`}</p>`}
    ${health.error_message && html`<blockquote dir="auto">${health.error_message}</blockquote>`}
    <dl class="figures">
      <div><dt>Last test</dt><dd><${Time} at=${health.checked_at} /></dd></div>
      ${health.latency_ms !== null && html`<div><dt>Took</dt><dd>${duration(health.latency_ms)}</dd></div>`}
      ${newest?.account && html`<div><dt>Account</dt><dd><bdi>${newest.account}</bdi></dd></div>`}
      ${health.error_code && html`<div><dt>Code</dt><dd><code>${health.error_code}</code></dd></div>`}
    </dl>
  </section>`;
}

// ---------------------------------------------------------------- the tests

/** @type {Record<RecordedTest["status"], [Tone, string]>} */
const OUTCOMES = {
  succeeded: ["ok", "Passed"],
  failed: ["bad", "Failed"],
  running: ["info", "Running"],
  queued: ["idle", "Queued"],
};

/** @param {{ tests: import("../../kit/api.js").Resource<{ items: RecordedTest[] }>, run: TestRun }} props */
function Tests({ tests, run }) {
  const [chosen, setChosen] = useState(/** @type {string | null} */ (null));
  const items = tests.data?.items ?? [];
  useEffect(() => setChosen(null), [run.test?.id]);
  // Once the list has it, too, the newest of the list is the one to see.
  const listed = run.test && ended(run.test) && items.some((one) => one.id === run.test?.id);
  const live = run.test && !chosen && !listed ? run.test : null;
  const shown = live ?? items.find((one) => one.id === chosen) ?? items[0];
  return html`<section class="card stack" aria-labelledby="tests">
    <div class="row spread">
      <h2 id="tests">Tests</h2>
      ${items.length > 0 && html`<span class="muted">${items.length === 1 ? "the only one" : `the last ${number(items.length)}, oldest first`}</span>`}
    </div>
    ${run.error && html`<${Failure} error=${run.error} title="The test could not be followed" />`}
    ${tests.error && html`<${Failure} error=${tests.error} retry=${tests.reload} title="The tests can't be shown" />`}
    ${tests.loading && !tests.data && html`<${Loading} />`}
    ${
      tests.data &&
      !items.length &&
      !live &&
      html`<${Empty} icon="plug" title="No test in the last 90 days">Press “Test now”, or switch the monitor on.</${Empty}>`
    }
    ${items.length > 0 && html`<${Timeline} tests=${items} chosen=${shown?.id ?? ""} onChoose=${setChosen} />`}
    ${shown && html`<${TestDetails} test=${shown} />`}
  </section>`;
}

/** @param {RecordedTest} test */
const when = (test) => test.started_at ?? test.queued_at;

/** @param {RecordedTest} test */
function spoken(test) {
  const at = when(test);
  const took = test.latency_ms === null ? "" : `, ${duration(test.latency_ms)}`;
  return `${OUTCOMES[test.status][1]}${at ? `, ${ago(at)}` : ""}${took}`;
}

/**
 * A bar for each test, the newest at the end. The arrow keys go from test to test; so do the buttons,
 * which are larger than a bar can be.
 *
 * @param {{ tests: RecordedTest[], chosen: string, onChoose: (id: string) => void }} props
 */
function Timeline({ tests, chosen, onChoose }) {
  const id = useId();
  const ordered = [...tests].reverse();
  const last = ordered.length - 1;
  const place = ordered.findIndex((test) => test.id === chosen);
  const slowest = Math.max(1, ...ordered.map((test) => test.latency_ms ?? 0));
  /** @param {number} index */
  const choose = (index) => {
    const test = ordered[Math.max(0, Math.min(last, index))];
    if (test) onChoose(test.id);
  };
  /** @param {KeyboardEvent} event */
  const press = (event) => {
    const rtl = getComputedStyle(/** @type {Element} */ (event.currentTarget)).direction === "rtl" ? -1 : 1;
    const from = place < 0 ? last + 1 : place;
    /** @type {Record<string, number>} */
    const to = { ArrowLeft: from - rtl, ArrowRight: from + rtl, Home: 0, End: last };
    const next = to[event.key];
    if (next === undefined) return;
    event.preventDefault();
    choose(next);
  };
  return html`<div class="timeline">
    <${Button} kind="small" label="The test before" why=${place === 0 && "There is none before"} onClick=${() => choose((place < 0 ? last + 1 : place) - 1)}>
      <span aria-hidden="true">‹</span>
    </${Button}>
    <div class="bars" role="listbox" tabindex="0" aria-label="Tests, oldest first" aria-orientation="horizontal"
      aria-activedescendant=${place < 0 ? undefined : `${id}-${place}`} onKeyDown=${press}>
      ${ordered.map((test, index) => {
        const [tone] = OUTCOMES[test.status];
        // A failure is the full height, whatever it took: it is seen without its color.
        const height = test.status === "failed" ? 100 : 30 + 45 * Math.sqrt((test.latency_ms ?? 0) / slowest);
        return html`<div key=${test.id} id=${`${id}-${index}`} role="option" aria-selected=${index === place ? "true" : "false"}
          aria-label=${spoken(test)} title=${spoken(test)} class=${`bar ${tone}`} onClick=${() => choose(index)}>
          <span style=${{ blockSize: `${height}%` }}></span>
        </div>`;
      })}
    </div>
    <${Button} kind="small" label="The test after" why=${place === last && "There is none after"} onClick=${() => choose(place + 1)}>
      <span aria-hidden="true">›</span>
    </${Button}>
  </div>`;
}

/** @param {{ test: RecordedTest }} props */
function TestDetails({ test }) {
  const running = !ended(test);
  const [tone, word] = OUTCOMES[test.status];
  const at = when(test);
  const failed = test.steps.some((step) => step.status === "failed");
  const steps = test.steps
    .filter((step) => step.skip_reason !== "not_applicable")
    .map((step) => ({ ...step, name: OWN_STEPS[step.name] ?? step.name }));
  return html`<div class="stack test-details">
    <div class="row" role="status">
      <${Badge} tone=${tone}>${word}</${Badge}>
      ${at && html`<span title=${exactly(at)}>${ago(at)}</span>`}
      <span class="muted">${test.trigger === "monitor" ? "by the monitor" : "on demand"}</span>
      ${test.latency_ms !== null && html`<span class="muted">${duration(test.latency_ms)}</span>`}
      ${test.account && html`<span class="muted">as <bdi>${test.account}</bdi></span>`}
    </div>
    ${test.status === "queued" && html`<p class="muted">It begins in a moment.</p>`}
    ${test.status === "failed" && !failed && html`<p dir="auto">${test.message}</p>`}
    ${(steps.length > 0 || running) && html`<${StepList} steps=${steps} running=${running} />`}
    ${test.status === "failed" && html`<${Changes} changes=${test.what_changed} />`}
    ${
      test.capabilities.length > 0 &&
      html`<p class="row"><span class="muted">Capabilities</span>
        ${test.capabilities.map(
          (one) =>
            html`<${Badge} key=${one.role + one.name} tone=${CAPABILITY_TONES[one.status]}>
              <bdi>${one.name}</bdi> ${one.status}
            </${Badge}>`,
        )}</p>`
    }
  </div>`;
}

/**
 * What a person would ask first: what is different from when it worked.
 *
 * @param {{ changes: WhatChanged | null }} props
 */
function Changes({ changes }) {
  if (!changes) return null;
  const said = [
    ...changes.variables.map((name) => html`the variable <code>${name}</code>`),
    ...changes.configurations.map((name) => html`the setting <code>${name}</code>`),
    ...changes.secret_version.map((role) => `the secrets of the ${role}`),
    ...changes.release.map(
      (one) => `the release of the ${one.role}: ${one.before ?? "none"} → ${one.now ?? "none"}`,
    ),
  ];
  return html`<div class="banner info"><div>
    ${
      said.length
        ? html`<strong>Changed since the last test that passed</strong>, <${Time} at=${changes.at} />:
            <ul>${said.map((one) => html`<li>${one}</li>`)}</ul>`
        : html`<strong>Nothing changed here</strong> since the last test that passed, <${Time} at=${changes.at} />. It changed
            at the provider, or on the way.`
    }
  </div></div>`;
}

// ---------------------------------------------------------------- monitor, uses, and what can be changed

/** @type {[string, string][]} */
const INTERVALS = [
  ["1m", "every minute"],
  ["5m", "every 5 minutes"],
  ["15m", "every 15 minutes"],
  ["1h", "every hour"],
  ["24h", "once a day"],
];

/**
 * A change of the connection as it was read: somebody else's in between is not overwritten.
 *
 * @param {ConnectionRead} read
 * @param {string} path
 */
function useChange(read, path) {
  const action = useAction();
  /** @param {Record<string, unknown>} body @param {string} said */
  const change = async (body, said) => {
    const changed = await action.run(path, { method: "PATCH", body, ifMatch: read.etag });
    if (!changed) return false;
    notify(said);
    read.replace(changed, action.etag());
    return true;
  };
  return { change, busy: action.busy, error: action.error, clear: action.clear };
}

/** @param {{ read: ConnectionRead, connection: Connection, path: string }} props */
function MonitorCard({ read, connection, path }) {
  const { can, why } = useSession();
  const { change, busy, error } = useChange(read, path);
  const { enabled, interval } = connection.monitor;
  const blocked = !can(MANAGE) || busy;
  /** @param {Event} event */
  const choose = (event) =>
    change(
      { monitor: { interval: /** @type {HTMLSelectElement} */ (event.target).value } },
      "The interval is changed",
    );
  const turn = () =>
    change({ monitor: { enabled: !enabled } }, enabled ? "The monitor is off" : "The monitor is on");
  const resting = enabled && connection.status !== "active";
  return html`<section class="card stack" aria-labelledby="monitor">
    <div class="row spread">
      <h2 id="monitor">Monitor</h2>
      <label class="check" title=${why(MANAGE) ?? undefined}>
        <input type="checkbox" role="switch" checked=${enabled} disabled=${blocked} onChange=${turn} />
        ${enabled ? "On" : "Off"}
      </label>
    </div>
    <div class="choice">
      <label for="interval">Tests it</label>
      <select id="interval" value=${interval} disabled=${blocked} onChange=${choose}>
        ${INTERVALS.map(([value, word]) => html`<option key=${value} value=${value}>${word}</option>`)}
      </select>
    </div>
    ${resting && html`<p class="muted">It does not run while the connection is not active.</p>`}
    ${!can(MANAGE) && html`<p class="muted">${why(MANAGE)}.</p>`}
    <${ChangeFailure} error=${error} reload=${read.reload} />
  </section>`;
}

/**
 * @param {{ read: ConnectionRead, connection: Connection, path: string, category: string | undefined }} props
 */
function Uses({ read, connection, path, category }) {
  const { can, why, organizationId, session } = useSession();
  const { change, busy, error } = useChange(read, path);
  const [asked, setAsked] = useState(false);
  const recorded = connection.record_uses;
  const turn = () =>
    change(
      { record_uses: !recorded },
      recorded ? "Uses are not recorded any more" : "Uses are recorded as events",
    );
  return html`<section class="card stack" aria-labelledby="uses">
    <h2 id="uses">Uses</h2>
    <label class="check" title=${why(MANAGE) ?? undefined}>
      <input type="checkbox" role="switch" checked=${recorded} disabled=${busy || !can(MANAGE)} onChange=${turn} />
      Record each use of its credentials as an event
    </label>
    ${
      recorded &&
      html`<p><a href=${href(at`/spaces/${connection.space}/events`, { type: "usage", connection: connection.id })}>The uses so far</a></p>`
    }
    ${
      asked && category
        ? html`<${Counts} id=${connection.id} tenant=${organizationId} category=${category} />`
        : !session.space &&
          html`<p><${Button} kind="small" why=${category ? null : "The source is being read"} onClick=${() => setAsked(true)}>Count its tests</${Button}></p>`
    }
    <${ChangeFailure} error=${error} reload=${read.reload} />
  </section>`;
}

/**
 * The counts of the connection's record. No route reads one record, so the pages of its category are
 * read until it is found: only when somebody asks.
 *
 * @param {{ id: string, tenant: string, category: string }} props
 */
function Counts({ id, tenant, category }) {
  const [record, setRecord] = useState(/** @type {ConnectionRecord | null} */ (null));
  const [error, setError] = useState(/** @type {Error | null} */ (null));
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const stopped = new AbortController();
    const find = async () => {
      let cursor = "";
      do {
        const query = { tenantId: tenant, category, cursor };
        const { data } = await request("/integrations/connection/list/v1.0.0", {
          query,
          signal: stopped.signal,
        });
        const found = data.connections.find((/** @type {ConnectionRecord} */ one) => one.id === id);
        if (found) return setRecord(found);
        cursor = data.nextCursor ?? "";
      } while (cursor);
      throw new ApiError("The connection is not in the list any more.");
    };
    setError(null);
    find().catch((failure) => !stopped.signal.aborted && setError(failure));
    return () => stopped.abort();
  }, [id, tenant, category, turn]);
  if (error)
    return html`<${Failure} error=${error} retry=${() => setTurn(turn + 1)} title="The counts can't be read" />`;
  if (!record) return html`<${Loading} lines=${2} />`;
  return html`<dl class="facts">
    <dt>Tested</dt><dd>${number(record.usageRequestCount)} times</dd>
    <dt>Passed</dt><dd>${number(record.usageSuccessCount)}</dd>
    <dt>Failed</dt><dd>${number(record.usageErrorCount)}</dd>
    <dt>Last failure</dt><dd><${Time} at=${record.usageLastErrorAt} />
      ${record.usageLastErrorCode && html` <code>${record.usageLastErrorCode}</code>`}</dd>
  </dl>`;
}

/** @param {{ read: ConnectionRead, connection: Connection, path: string }} props */
function Manage({ read, connection, path }) {
  const { can, why } = useSession();
  const { change, busy, error } = useChange(read, path);
  const [open, setOpen] = useState(/** @type {"" | "rename" | "delete"} */ (""));
  const close = () => setOpen("");
  const { status } = connection;
  /** @param {string} word @param {string} to @param {string} said */
  const step = (word, to, said) =>
    html`<${Button} kind="small" why=${why(MANAGE)} busy=${busy} onClick=${() => change({ status: to }, said)}>${word}</${Button}>`;
  return html`<section class="card stack" aria-labelledby="manage">
    <h2 id="manage">Manage</h2>
    <div class="row">
      <${Button} kind="small" why=${why(MANAGE)} onClick=${() => setOpen("rename")}>Rename</${Button}>
      ${status === "draft" && step("Activate", "active", "It is active")}
      ${status === "active" && step("Pause", "paused", "Paused: its monitor does not run")}
      ${(status === "paused" || status === "disabled") && step(status === "paused" ? "Resume" : "Enable", "active", "It is active again")}
      ${status !== "disabled" && step("Disable", "disabled", "Disabled: nothing is dialed for it")}
      <${Button} kind="small" why=${why(MANAGE)} onClick=${() => setOpen("delete")}>Delete…</${Button}>
    </div>
    ${!can(MANAGE) && html`<p class="muted">${why(MANAGE)}.</p>`}
    <p class="muted">Created <${Time} at=${connection.created_at} />, changed <${Time} at=${connection.updated_at} />.</p>
    <${ChangeFailure} error=${error} reload=${read.reload} />
    ${open === "rename" && html`<${Rename} read=${read} connection=${connection} path=${path} onClose=${close} />`}
    ${open === "delete" && html`<${Delete} read=${read} connection=${connection} path=${path} onClose=${close} />`}
  </section>`;
}

/** @param {{ read: ConnectionRead, connection: Connection, path: string, onClose: () => void }} props */
function Rename({ read, connection, path, onClose }) {
  const [name, setName] = useState(connection.name);
  // What the page reads by itself meanwhile is not what the person has seen.
  const [seen, setSeen] = useState(read.etag);
  const [outdated, setOutdated] = useState(false);
  const saving = useAction();
  const lookAgain = () => {
    saving.clear();
    setOutdated(true);
    read.reload();
  };
  useEffect(() => {
    if (!outdated || read.etag === seen) return;
    setOutdated(false);
    setSeen(read.etag);
  }, [outdated, seen, read.etag]);
  /** @param {Event} event */
  const save = async (event) => {
    event.preventDefault();
    if (saving.busy) return;
    const renamed = await saving.run(path, { method: "PATCH", body: { name }, ifMatch: seen });
    if (!renamed) return;
    notify("Renamed");
    read.replace(renamed, saving.etag());
    onClose();
  };
  /** @param {Event} event */
  const type = (event) => setName(/** @type {HTMLInputElement} */ (event.target).value);
  const wrong = saving.errorAt("/name");
  return html`<${Dialog} title="Rename the connection" onClose=${onClose}>
    <form class="stack" onSubmit=${save} novalidate>
      <${Field} label="Name" required error=${wrong} help=${name !== connection.name && html`It is called <bdi>${connection.name}</bdi> now.`}>
        ${(/** @type {Record<string, unknown>} */ control) =>
          html`<input ...${control} type="text" dir="auto" autofocus value=${name} onInput=${type} />`}
      </${Field}>
      ${!wrong && html`<${ChangeFailure} error=${saving.error} reload=${lookAgain} kept />`}
      <div class="row spread">
        <${Button} onClick=${onClose}>Cancel</${Button}>
        <${Button} type="submit" kind="primary" busy=${saving.busy || outdated}>Rename</${Button}>
      </div>
    </form>
  </${Dialog}>`;
}

/** @param {{ read: ConnectionRead, connection: Connection, path: string, onClose: () => void }} props */
function Delete({ read, connection, path, onClose }) {
  const [seen] = useState(read.etag);
  const deleting = useAction();
  const remove = async () => {
    if (!(await deleting.run(path, { method: "DELETE", ifMatch: seen }))) return;
    notify(`${connection.name} is deleted`);
    go(href("/connections"));
  };
  return html`<${Confirm} title="Delete this connection?" confirm="Delete it" busy=${deleting.busy} error=${deleting.error}
    onConfirm=${remove} onClose=${onClose}>
    <p><strong><bdi>${connection.name}</bdi></strong> and its tests are gone for good, and its alerts end. Its source
      ${connection.destination_id && " and its destination"} with the credentials ${connection.destination_id ? "stay" : "stays"}.</p>
  </${Confirm}>`;
}

// ---------------------------------------------------------------- credentials and endpoints

/** @type {Record<GrantView["status"], [Tone, string]>} */
const GRANTS = {
  active: ["ok", "Active"],
  expiring: ["warn", "Ends soon"],
  failing: ["warn", "Renewal fails"],
  reauthorize: ["bad", "Sign in again"],
};

const SOON_MS = 21 * 86_400_000;

/**
 * A time at which something ends, and whether that is soon.
 *
 * @param {{ at: string, ended: string }} props
 */
function Ending({ at: time, ended: over }) {
  const left = new Date(time).getTime() - Date.now();
  if (left < 0) return html`<${Badge} tone="bad">${over} <${Time} at=${time} /></${Badge}>`;
  return left < SOON_MS
    ? html`<${Badge} tone="warn"><${Time} at=${time} /></${Badge}>`
    : html`<${Time} at=${time} />`;
}

/**
 * @param {{ source: import("../../kit/api.js").Resource<Endpoint>, grant: GrantRead,
 *   newest: RecordedTest | undefined }} props `newest` saw a certificate
 */
function Credentials({ source, grant, newest }) {
  const endpoint = source.data;
  if (!endpoint) return null;
  const missing = grant.error instanceof ApiError && grant.error.status === 404;
  const given = grant.data;
  return html`<section class="card stack" aria-labelledby="credentials">
    <div class="row spread">
      <h2 id="credentials">Credentials</h2>
      ${given && html`<${Badge} tone=${GRANTS[given.status][0]}>${GRANTS[given.status][1]}</${Badge}>`}
    </div>
    ${grant.error && !missing && html`<${Failure} error=${grant.error} retry=${grant.reload} title="The account's state can't be read" />`}
    ${given?.end && html`<${Banner} tone="bad" title="The access has ended"><p dir="auto">${given.end.message}</p></${Banner}>`}
    ${given?.failure && html`<${Banner} tone="warn" title="The last renewal failed"><p dir="auto">${given.failure.message}</p></${Banner}>`}
    ${(given?.warnings ?? []).map(
      (one) =>
        html`<${Banner} key=${one.code} tone="warn" title=${one.title}><p dir="auto">${one.message} ${one.remediation}</p></${Banner}>`,
    )}
    <dl class="facts">
      <dt>Secrets</dt>
      <dd>${
        endpoint.secret_ref
          ? html`<code>${endpoint.secret_ref}</code>`
          : endpoint.secrets_set.length
            ? html`<span class="row">${endpoint.secrets_set.map((name) => html`<code key=${name}>${name}</code>`)}</span>`
            : "none"
      }</dd>
      ${endpoint.secrets_entered_at && html`<dt>Entered</dt><dd><${Time} at=${endpoint.secrets_entered_at} /></dd>`}
      ${
        given &&
        html`<dt>Connected</dt><dd><${Time} at=${given.connected_at} none="tokens were entered" /></dd>
          <dt>Access token</dt><dd>${given.expires_at ? html`ends <${Time} at=${given.expires_at} />, ${given.renewable ? "renewed by itself" : "nothing renews it"}` : "does not expire"}</dd>
          ${given.ends_at && html`<dt>Access ends</dt><dd><${Ending} at=${given.ends_at} ended="ended" /></dd>`}
          ${given.scopes_granted && html`<dt>Scopes</dt><dd>${given.scopes_granted.join(" ") || "none"}</dd>`}
          ${given.scopes_missing.length > 0 && html`<dt>Missing scopes</dt><dd class="toned warn">${given.scopes_missing.join(" ")}</dd>`}`
      }
      ${
        newest?.certificate_expires_at &&
        html`<dt>Certificate</dt><dd>expires <${Ending} at=${newest.certificate_expires_at} ended="expired" /></dd>`
      }
    </dl>
  </section>`;
}

/** A schema may say anything where a title belongs. @param {unknown} title @param {string} name */
const nameOf = (title, name) => (typeof title === "string" && title.trim() ? title : name);

/** @param {{ id: string }} props */
function Destination({ id }) {
  const { connectors } = useSession();
  const path = connectors + at`/destinations/${id}`;
  const read = /** @type {import("../../kit/api.js").Resource<Endpoint>} */ (useResource(path));
  return html`<${EndpointCard} title="Destination" read=${read} release=${null} />`;
}

/**
 * @param {{ title: string, read: import("../../kit/api.js").Resource<Endpoint>,
 *   release: Release | null }} props
 */
function EndpointCard({ title, read, release }) {
  const endpoint = read.data;
  const id = useId();
  if (!endpoint) {
    return html`<section class="card stack" aria-labelledby=${id}>
      <h2 id=${id}>${title}</h2>
      ${read.error ? html`<${Failure} error=${read.error} retry=${read.reload} />` : html`<${Loading} />`}
    </section>`;
  }
  const [publisher = "", slug = ""] = endpoint.integration.split("/");
  const schema = /** @type {{ properties?: Record<string, { title?: unknown }> }} */ (
    release?.variablesSchema
  );
  const titles = schema?.properties ?? {};
  const variables = Object.entries(endpoint.variables ?? {});
  return html`<section class="card stack" aria-labelledby=${id}>
    <h2 id=${id}>${title}</h2>
    <dl class="facts">
      <dt>Name</dt><dd><bdi>${endpoint.name}</bdi></dd>
      <dt>Integration</dt><dd><a href=${href(at`/catalog/${publisher}/${slug}`)}>${endpoint.integration}</a> ${endpoint.version}</dd>
      ${endpoint.external_account_id && html`<dt>Customer</dt><dd><bdi>${endpoint.external_account_id}</bdi></dd>`}
      ${endpoint.environment && html`<dt>Environment</dt><dd>${endpoint.environment}</dd>`}
      <dt>Credentials of</dt><dd>${endpoint.ownership_mode === "managed" ? "yours, used for the customer" : "the customer"}</dd>
      ${variables.map(
        ([name, value]) =>
          html`<dt key=${name}><bdi title=${name}>${nameOf(titles[name]?.title, name)}</bdi></dt>
            <dd dir="auto">${typeof value === "string" ? value : html`<code>${JSON.stringify(value)}</code>`}</dd>`,
      )}
    </dl>
  </section>`;
}

/** An alert rule: what it watches, whom it tells, and when it would have fired. */

import { at, useAction, useResource } from "../../kit/api.js";
import {
  Badge,
  Banner,
  Button,
  Confirm,
  CopyButton,
  Dialog,
  Empty,
  Failure,
  Field,
  Loading,
  notify,
  Table,
  Time,
} from "../../kit/elements.js";
import { html, useEffect, useMemo, useState } from "../../vendor/preact.js";
import { conditionInWords, SEVERITY_CHOICES, Subject, useNames } from "../alert_words.js";
import { Backtest } from "../backtest.js";
import { Back, ChangeFailure, go, href, MANAGE, PageHead, useSession } from "../dashboard.js";
import { TYPE_WORDS } from "../event_words.js";
import { SelectField, TextField, unshown } from "../fields.js";

/**
 * @typedef {import("#api").components["schemas"]["AlertRule"]} AlertRule
 * @typedef {import("#api").components["schemas"]["NewAlertRule"]} NewAlertRule
 * @typedef {import("#api").components["schemas"]["IssuedAlertRule"]} IssuedAlertRule
 * @typedef {import("#api").components["schemas"]["RuleSubjectList"]} RuleSubjectList
 * @typedef {import("#api").components["schemas"]["ConnectionHealthList"]} ConnectionHealthList
 * @typedef {import("../../kit/elements.js").Tone} Tone
 * @typedef {{ key: string, id?: string, kind: "webhook" | "sns" | "eventbridge", address: string }} ChannelDraft
 * @typedef {{ name: string, severity: string, enabled: boolean, kind: string, scope: string, type: string,
 *   connection: string, threshold: string, recovery: string, short: number, long: number, minimum: string,
 *   after: number, holds: number, keeps: number, reminder: number, channels: ChannelDraft[] }} Draft
 *   What is entered: numbers as texts, times in seconds.
 * @typedef {Record<string, unknown>} Control
 * @typedef {(change: Partial<Draft>) => void} Change
 */

const HOUR = 3600;
const DAY = 86_400;

/** @type {Draft} */
const FRESH = {
  name: "",
  severity: "warning",
  enabled: true,
  kind: "success_rate",
  scope: "space",
  type: "webhook",
  connection: "",
  threshold: "95",
  recovery: "",
  short: HOUR,
  long: 6 * HOUR,
  minimum: "10",
  after: DAY,
  holds: 0,
  keeps: 0,
  reminder: 0,
  channels: [],
};

/** @type {[string, string][]} */
const KINDS = [
  ["success_rate", "The success rate is low"],
  ["stale", "There is no success for too long"],
  ["connection_down", "A connection fails"],
];
/** @type {[string, string][]} */
const SCOPES = [
  ["space", "The space as a whole"],
  ["integration_type", "Each type of event"],
  ["connection", "Each connection"],
  ["one_type", "One type of event"],
  ["one_connection", "One connection"],
];
/** @type {[string, string][]} */
const SCOPES_OF_DOWN = [
  ["space", "Every connection"],
  ["one_connection", "One connection"],
];

/** Where the form shows what is wrong. */
const FIELDS = [
  "/name",
  "/for_seconds",
  "/keep_firing_for_seconds",
  "/reminder_seconds",
  "/condition/threshold",
  "/condition/recovery_threshold",
  "/condition/short_window_seconds",
  "/condition/long_window_seconds",
  "/condition/minimum_events",
  "/condition/after_seconds",
  "/condition/connection_id",
  "/condition/integration_type",
];

/** @param {AlertRule} rule @returns {Draft} */
function draftOf(rule) {
  const condition = /** @type {Record<string, any>} */ (rule.condition);
  const { integration_type: type, connection_id: connection, per = "space" } = condition;
  return {
    ...FRESH,
    name: rule.name,
    severity: rule.severity,
    enabled: rule.enabled,
    kind: rule.condition.kind,
    scope: type ? "one_type" : connection ? "one_connection" : per,
    type: type ?? FRESH.type,
    connection: connection ?? "",
    threshold: String(condition.threshold ?? FRESH.threshold),
    recovery: String(condition.recovery_threshold ?? ""),
    short: condition.short_window_seconds ?? FRESH.short,
    long: condition.long_window_seconds ?? FRESH.long,
    minimum: String(condition.minimum_events ?? FRESH.minimum),
    after: condition.after_seconds ?? FRESH.after,
    holds: rule.for_seconds,
    keeps: rule.keep_firing_for_seconds,
    reminder: rule.reminder_seconds,
    channels: rule.channels.map((channel) => ({
      key: channel.id,
      id: channel.id,
      kind: channel.kind,
      address: channel.kind === "webhook" ? channel.url : channel.kind === "sns" ? channel.topic_arn : "",
    })),
  };
}

/** What is empty is not a number: the API says so at its place. @param {string} text */
const numeric = (text) => (text.trim() === "" ? null : Number(text));

/** @param {Draft} draft */
function conditionOf(draft) {
  const connection = draft.scope === "one_connection" ? { connection_id: draft.connection } : {};
  if (draft.kind === "connection_down") return { kind: "connection_down", ...connection };
  const per = draft.scope === "integration_type" || draft.scope === "connection" ? draft.scope : "space";
  const scoped = {
    per,
    ...connection,
    ...(draft.scope === "one_type" ? { integration_type: draft.type } : {}),
  };
  if (draft.kind === "stale") return { kind: "stale", ...scoped, after_seconds: draft.after };
  return {
    kind: "success_rate",
    ...scoped,
    threshold: numeric(draft.threshold),
    ...(draft.recovery.trim() ? { recovery_threshold: Number(draft.recovery) } : {}),
    short_window_seconds: draft.short,
    long_window_seconds: draft.long,
    minimum_events: numeric(draft.minimum),
  };
}

/** @param {ChannelDraft} channel */
function channelOf({ id, kind, address }) {
  const known = id ? { id } : {};
  if (kind === "webhook") return { ...known, kind, url: address };
  return kind === "sns" ? { ...known, kind, topic_arn: address } : { ...known, kind };
}

/** @param {Draft} draft @returns {Record<string, unknown>} the body that makes the rule */
const ruleOf = (draft) => ({
  name: draft.name,
  severity: draft.severity,
  enabled: draft.enabled,
  condition: conditionOf(draft),
  for_seconds: draft.holds,
  keep_firing_for_seconds: draft.keeps,
  reminder_seconds: draft.reminder,
  channels: draft.channels.map(channelOf),
});

/** @param {unknown} one @param {unknown} other */
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/**
 * The merge patch of what a person changed: what they left alone stays as it is by then.
 *
 * @param {Draft} before
 * @param {Draft} after
 */
function patchOf(before, after) {
  const [old, fresh] = [ruleOf(before), ruleOf(after)];
  const changes = Object.entries(fresh).filter(([name, value]) => !same(value, old[name]));
  const patch = Object.fromEntries(changes);
  if (patch["condition"]) {
    // A member that the condition no longer has is taken away by null.
    const gone = Object.keys(/** @type {Record<string, unknown>} */ (old["condition"])).map((name) => [
      name,
      null,
    ]);
    patch["condition"] = {
      ...Object.fromEntries(gone),
      .../** @type {Record<string, unknown>} */ (patch["condition"]),
    };
  }
  return patch;
}

/** @param {Event} event */
const typed = (event) => /** @type {HTMLInputElement} */ (event.target).value;

/** @param {{ slug: string, ruleId: string }} props */
export default function RulePage({ slug, ruleId }) {
  const space = at`/spaces/${slug}`;
  const above = html`<${Back} href=${href(`${space}/rules`)}>Rules of ${slug}</${Back}>`;
  const read = /** @type {import("../../kit/api.js").Resource<AlertRule>} */ (
    useResource(ruleId === "new" ? null : space + at`/alert-rules/${ruleId}`)
  );
  if (ruleId === "new") {
    return html`<div class="stack"><${PageHead} title="New rule" above=${above} />
      <${Editor} slug=${slug} read=${null} /></div>`;
  }
  if (!read.data) {
    return html`<div class="stack"><${PageHead} title="Rule" above=${above} />
      ${read.error ? html`<${Failure} error=${read.error} retry=${read.reload} title="This rule can't be shown" />` : html`<${Loading} lines=${6} />`}
    </div>`;
  }
  const rule = read.data;
  return html`<div class="stack">
    <${PageHead} title=${rule.name} above=${above}>
      <p class="row muted">${!rule.enabled && html`<${Badge} tone="idle" icon="pause">Off</${Badge}>`}
        ${conditionInWords(rule.condition)} <span aria-hidden="true">·</span>
        <a href=${href(`${space}/alerts`, { rule: rule.id })}>Its alerts</a></p>
    </${PageHead}>
    <${Editor} slug=${slug} read=${read} />
  </div>`;
}

/** @param {{ slug: string, read: import("../../kit/api.js").Resource<AlertRule> | null }} props */
function Editor({ slug, read }) {
  const { can, why } = useSession();
  const rule = read?.data ?? null;
  const [base, setBase] = useState(() => ({ draft: rule ? draftOf(rule) : FRESH, etag: read?.etag ?? null }));
  const [draft, setDraft] = useState(base.draft);
  const [secrets, setSecrets] = useState(/** @type {IssuedAlertRule | null} */ (null));
  const saving = useAction();
  const [outdated, setOutdated] = useState(false);
  const [tried, setTried] = useState(/** @type {import("../../kit/api.js").ApiError | null} */ (null));
  /** @type {Change} */
  const change = (part) => setDraft((before) => ({ ...before, ...part }));
  const path = `${at`/spaces/${slug}`}/alert-rules`;
  const lookAgain = () => {
    saving.clear();
    setOutdated(true);
    read?.reload();
  };
  useEffect(() => {
    if (!outdated || !rule || read?.etag === base.etag) return;
    setOutdated(false);
    const theirs = draftOf(rule);
    const mine = Object.entries(draft).filter(
      ([name, value]) => !same(value, base.draft[/** @type {keyof Draft} */ (name)]),
    );
    setDraft({ ...theirs, ...Object.fromEntries(mine) });
    setBase({ draft: theirs, etag: read?.etag ?? null });
  }, [outdated, rule, read?.etag, draft, base]);
  /** @param {IssuedAlertRule} saved */
  const leave = (saved) => {
    if (!rule) go(href(at`/spaces/${slug}/rules/${saved.id}`));
  };
  /** @param {Event} event */
  const save = async (event) => {
    event.preventDefault();
    if (saving.busy || outdated || !can(MANAGE)) return;
    const saved = /** @type {IssuedAlertRule | undefined} */ (
      rule
        ? await saving.run(`${path}${at`/${rule.id}`}`, {
            method: "PATCH",
            body: patchOf(base.draft, draft),
            ifMatch: base.etag,
          })
        : await saving.run(path, { body: ruleOf(draft) })
    );
    if (!saved) return;
    notify(rule ? "Saved" : "The rule is made: it is evaluated each minute");
    if (rule) {
      const kept = draftOf(saved);
      // The page keeps no secret longer than it shows it.
      const plain = { ...saved, secrets: {} };
      setDraft(kept);
      setBase({ draft: kept, etag: saving.etag() });
      read?.replace(plain, saving.etag());
    }
    if (Object.keys(saved.secrets ?? {}).length) setSecrets(saved);
    else leave(saved);
  };
  /** @param {string} pointer */
  const errorAt = (pointer) =>
    saving.errorAt(pointer) ?? tried?.errors.find((one) => one.pointer === `/rule${pointer}`)?.message;
  // Its name and its channels change nothing of when it fires: they are no reason to try it again.
  const trial = useMemo(() => {
    const { condition, for_seconds, keep_firing_for_seconds } = ruleOf(draft);
    return { name: "Trial", condition, for_seconds, keep_firing_for_seconds };
  }, [draft]);
  const refused = unshown(saving.error, [
    ...FIELDS,
    ...draft.channels.flatMap((_, index) => [`/channels/${index}/url`, `/channels/${index}/topic_arn`]),
  ]);
  const changed = !rule || !same(draft, base.draft);
  const close = () => {
    const saved = secrets;
    setSecrets(null);
    if (saved) leave(saved);
  };
  return html`<div class="rule">
    <form class="card stack" onSubmit=${save} novalidate aria-label="Rule">
      ${!can(MANAGE) && html`<${Banner} tone="info">${why(MANAGE)}. You can try values here, but not save them.</${Banner}>`}
      <${Condition} slug=${slug} draft=${draft} change=${change} errorAt=${errorAt} />
      <${Timing} draft=${draft} change=${change} errorAt=${errorAt} />
      <${Channels} draft=${draft} change=${change} errorAt=${errorAt} path=${rule ? `${path}${at`/${rule.id}`}` : null} />
      <${ChangeFailure} error=${refused} reload=${lookAgain} kept title="The rule was not saved" />
      ${saving.error && !refused && html`<p role="alert" class="toned bad">It was not saved: correct what is marked.</p>`}
      <div class="row spread">
        <label class="check"><input type="checkbox" role="switch" checked=${draft.enabled} onChange=${() => change({ enabled: !draft.enabled })} /> On</label>
        <div class="row">
          ${rule && html`<${Delete} rule=${rule} path=${`${path}${at`/${rule.id}`}`} etag=${base.etag} slug=${slug} />`}
          <${Button} type="submit" kind="primary" busy=${saving.busy} why=${why(MANAGE) ?? (changed ? null : "Nothing is changed")}>
            ${rule ? "Save" : "Make the rule"}
          </${Button}>
        </div>
      </div>
    </form>
    <div class="stack">
      <${Backtest} slug=${slug} rule=${trial} onError=${setTried} />
      ${rule && html`<${Subjects} path=${`${path}${at`/${rule.id}`}`} slug=${slug} />`}
    </div>
    ${secrets && html`<${Secrets} rule=${secrets} onClose=${close} />`}
  </div>`;
}

// ---------------------------------------------------------------- the fields

/**
 * @typedef {{ draft: Draft, change: Change, errorAt: (pointer: string) => string | undefined }} Part
 */

/** @type {[string, string][]} */
const UNITS = [
  [String(DAY), "days"],
  [String(HOUR), "hours"],
  ["60", "minutes"],
  ["1", "seconds"],
];

/**
 * A time, in the largest unit that it is a whole number of.
 *
 * @param {{ label: string, value: number, onChange: (seconds: number) => void, error?: string | undefined, help?: unknown }} props
 */
function Duration({ label, value, onChange, error, help }) {
  const fitting = value ? Number(UNITS.find(([size]) => value % Number(size) === 0)?.[0] ?? 1) : 60;
  const [unit, setUnit] = useState(fitting);
  const amount = value / unit;
  return html`<${Field} label=${label} error=${error} help=${help}>
    ${(/** @type {Control} */ control) =>
      html`<div class="amount">
        <input ...${control} type="number" min="0" step="any" value=${Number.isFinite(amount) ? amount : ""}
          onInput=${(/** @type {Event} */ event) => onChange(Math.round(Number(typed(event)) * unit))} />
        <select aria-label=${`${label}: unit`} value=${String(unit)} onChange=${(
          /** @type {Event} */ event,
        ) => {
          const next = Number(typed(event));
          setUnit(next);
          onChange(Math.round(amount * next));
        }}>
          ${UNITS.map(([size, word]) => html`<option key=${size} value=${size}>${word}</option>`)}
        </select>
      </div>`}
  </${Field}>`;
}

/** @param {Part & { slug: string }} props */
function Condition({ slug, draft, change, errorAt }) {
  const one = draft.scope === "one_connection";
  const connections = /** @type {import("../../kit/api.js").Resource<ConnectionHealthList>} */ (
    useResource(one ? `${at`/spaces/${slug}`}/integration-health/connections?limit=100` : null)
  );
  /** @type {[string, string][]} */
  const choices = (connections.data?.items ?? []).map((item) => [item.connection_id, item.name]);
  if (draft.connection && !choices.some(([id]) => id === draft.connection))
    choices.push([draft.connection, draft.connection]);
  /** @param {string} kind */
  const choose = (kind) =>
    change({
      kind,
      ...(kind === "connection_down" && draft.scope !== "one_connection" ? { scope: "space" } : {}),
    });
  return html`
    <${TextField} label="Name" value=${draft.name} onChange=${(/** @type {string} */ name) => change({ name })} error=${errorAt("/name")} />
    <${SelectField} label="Fires when" value=${draft.kind} options=${KINDS} onChange=${choose} />
    <${SelectField} label="Judged for" value=${draft.scope} options=${draft.kind === "connection_down" ? SCOPES_OF_DOWN : SCOPES}
      onChange=${(/** @type {string} */ scope) => change({ scope })} />
    ${
      draft.scope === "one_type" &&
      html`<${SelectField} label="Type of event" value=${draft.type} options=${Object.entries(TYPE_WORDS)} error=${errorAt("/condition/integration_type")}
        onChange=${(/** @type {string} */ type) => change({ type })} />`
    }
    ${
      one &&
      html`<${SelectField} label="Connection" value=${draft.connection} options=${[["", "Choose…"], ...choices]} error=${errorAt("/condition/connection_id")}
        onChange=${(/** @type {string} */ connection) => change({ connection })} />`
    }
    ${
      draft.kind === "success_rate" &&
      html`<div class="halves">
          <${TextField} label="Below (%)" inputmode="decimal" value=${draft.threshold} error=${errorAt("/condition/threshold")}
            onChange=${(/** @type {string} */ threshold) => change({ threshold })} />
          <${TextField} label="Ends at (%)" inputmode="decimal" optional value=${draft.recovery} error=${errorAt("/condition/recovery_threshold")}
            onChange=${(/** @type {string} */ recovery) => change({ recovery })} />
        </div>
        <div class="halves">
          <${Duration} label="Short window" value=${draft.short} error=${errorAt("/condition/short_window_seconds")} help="Shows that it still goes on."
            onChange=${(/** @type {number} */ short) => change({ short })} />
          <${Duration} label="Long window" value=${draft.long} error=${errorAt("/condition/long_window_seconds")} help="Shows that it matters."
            onChange=${(/** @type {number} */ long) => change({ long })} />
        </div>
        <${TextField} label="Events needed" inputmode="numeric" value=${draft.minimum} error=${errorAt("/condition/minimum_events")}
          help="In the short window. With fewer, nothing is decided." onChange=${(/** @type {string} */ minimum) => change({ minimum })} />`
    }
    ${
      draft.kind === "stale" &&
      html`<${Duration} label="Without a success for" value=${draft.after} error=${errorAt("/condition/after_seconds")}
        onChange=${(/** @type {number} */ after) => change({ after })} />`
    }
  `;
}

/** @param {Part} props */
const Timing = ({ draft, change, errorAt }) => html`
  <div class="halves">
    <${SelectField} label="Severity" value=${draft.severity} options=${SEVERITY_CHOICES} onChange=${(/** @type {string} */ severity) => change({ severity })} />
    <${Duration} label="Fires after" value=${draft.holds} error=${errorAt("/for_seconds")} help="How long it must hold first."
      onChange=${(/** @type {number} */ holds) => change({ holds })} />
    <${Duration} label="Ends after" value=${draft.keeps} error=${errorAt("/keep_firing_for_seconds")} help="How long it must be clear first."
      onChange=${(/** @type {number} */ keeps) => change({ keeps })} />
    <${Duration} label="Reminds every" value=${draft.reminder} error=${errorAt("/reminder_seconds")} help="0 for never, or 5 minutes and more."
      onChange=${(/** @type {number} */ reminder) => change({ reminder })} />
  </div>
`;

const MOST_CHANNELS = 5;
/** @type {[ChannelDraft["kind"], string][]} */
const CHANNEL_KINDS = [
  ["webhook", "Webhook"],
  ["sns", "SNS topic"],
  ["eventbridge", "EventBridge"],
];

/** @param {Part & { path: string | null }} props */
function Channels({ draft, change, errorAt, path }) {
  const full = draft.channels.length >= MOST_CHANNELS && "A rule has at most 5 channels";
  /** @param {ChannelDraft["kind"]} kind */
  const add = (kind) =>
    change({ channels: [...draft.channels, { key: crypto.randomUUID(), kind, address: "" }] });
  return html`<fieldset class="stack">
    <legend class="label">Told</legend>
    ${!draft.channels.length && html`<p class="muted">Nobody yet: alerts are seen here alone.</p>`}
    ${draft.channels.map((channel, index) => {
      /** @param {string} address */
      const enter = (address) =>
        change({
          channels: draft.channels.map((one) => (one.key === channel.key ? { ...one, address } : one)),
        });
      const remove = () => change({ channels: draft.channels.filter((one) => one.key !== channel.key) });
      const field = channel.kind === "sns" ? "topic_arn" : "url";
      return html`<div class="channel" key=${channel.key}>
        ${
          channel.kind === "eventbridge"
            ? html`<p>Events on the deployment's own EventBridge bus</p>`
            : html`<${TextField} label=${channel.kind === "sns" ? "SNS topic (ARN)" : "Webhook (https)"} value=${channel.address} type=${channel.kind === "webhook" ? "url" : "text"}
                help=${channel.id && channel.kind === "webhook" ? "Its path is hidden. Another address gets another secret." : undefined}
                error=${errorAt(`/channels/${index}/${field}`)} onChange=${enter} />`
        }
        <div class="row">
          ${channel.id && channel.kind === "webhook" && path && html`<${Rotate} path=${`${path}${at`/channels/${channel.id}`}`} address=${channel.address} />`}
          <${Button} kind="small" onClick=${remove} label=${`Remove channel ${index + 1}`}>Remove</${Button}>
        </div>
      </div>`;
    })}
    <div class="row">
      ${CHANNEL_KINDS.map(([kind, word]) => html`<${Button} key=${kind} kind="small" why=${full} onClick=${() => add(kind)}>+ ${word}</${Button}>`)}
    </div>
  </fieldset>`;
}

// ---------------------------------------------------------------- secrets

/** A secret that no later answer has. @param {{ label: string, secret: string }} props */
const Secret = ({ label, secret }) => html`
  <${Field} label=${label}>
    ${(/** @type {Control} */ control) => html`<input ...${control} class="input mono" type="text" readonly value=${secret} />`}
  </${Field}>
  <div><${CopyButton} text=${secret} label="Copy the secret" /></div>
`;

/** @param {{ rule: IssuedAlertRule, onClose: () => void }} props */
function Secrets({ rule, onClose }) {
  const named = Object.entries(rule.secrets).map(([id, secret]) => {
    const channel = rule.channels.find((one) => one.id === id);
    return { id, secret, label: channel?.kind === "webhook" ? channel.url : id };
  });
  return html`<${Dialog} title="Signing secrets" onClose=${onClose}>
    <${Banner} tone="warn">Each webhook is signed with its secret, so that the receiver can tell it from others. It is shown only now.</${Banner}>
    ${named.map((one) => html`<${Secret} key=${one.id} label=${one.label} secret=${one.secret} />`)}
    <div class="row spread"><span></span><${Button} kind="primary" onClick=${onClose}>I have stored them</${Button}></div>
  </${Dialog}>`;
}

/** @param {{ path: string, address: string }} props */
function Rotate({ path, address }) {
  const { why } = useSession();
  const [open, setOpen] = useState(false);
  const [issued, setIssued] = useState(
    /** @type {import("#api").components["schemas"]["IssuedWebhookSecret"] | null} */ (null),
  );
  const rotating = useAction();
  const close = () => {
    setOpen(false);
    setIssued(null);
    rotating.clear();
  };
  const rotate = async () => {
    const made = await rotating.run(`${path}/rotate-secret`);
    if (made) setIssued(made);
  };
  return html`<${Button} kind="small" why=${why(MANAGE)} onClick=${() => setOpen(true)}>Rotate the secret</${Button}>
    ${
      open &&
      (issued
        ? html`<${Dialog} title="The new secret" onClose=${close}>
            <${Banner} tone="warn">It is shown only now. ${issued.previous_valid_until && html`The one before also signs, and ends <${Time} at=${issued.previous_valid_until} />.`}</${Banner}>
            <${Secret} label=${address} secret=${issued.secret} />
            <div class="row spread"><span></span><${Button} kind="primary" onClick=${close}>I have stored it</${Button}></div>
          </${Dialog}>`
        : html`<${Confirm} title="Rotate the secret?" confirm="Rotate it" busy=${rotating.busy} error=${rotating.error} onConfirm=${rotate} onClose=${close}>
            A new secret is made for <code>${address}</code>. Messages are also signed with the one before for 24 hours.
          </${Confirm}>`)
    }`;
}

// ---------------------------------------------------------------- what it watches, and its end

/** @type {Record<import("#api").components["schemas"]["RuleSubject"]["state"], [Tone, string]>} */
const STATES = {
  ok: ["ok", "Fine"],
  no_data: ["idle", "No data"],
  pending: ["warn", "Pending"],
  firing: ["bad", "Firing"],
};

/** @param {{ path: string, slug: string }} props */
function Subjects({ path, slug }) {
  const read = /** @type {import("../../kit/api.js").Resource<RuleSubjectList>} */ (
    useResource(`${path}/subjects?limit=100`, { every: 60 })
  );
  const items = read.data?.items ?? [];
  const names = useNames(slug, items);
  return html`<section class="card stack" aria-labelledby="subjects">
    <h2 id="subjects">What it watches now</h2>
    ${read.error && html`<${Failure} error=${read.error} retry=${read.reload} />`}
    ${!read.data && !read.error && html`<${Loading} />`}
    ${read.data && !items.length && html`<${Empty} icon="bell" title="Nothing has failed, or it was not evaluated yet">Rules are evaluated each minute.</${Empty}>`}
    ${
      items.length > 0 &&
      html`<div class="tall"><${Table} caption="Subjects" heads=${["Subject", "State", "Since"]}>
        ${items.map(
          ({ subject, state, since, alert_id: alert }) => html`<tr key=${subject.kind + subject.id}>
            <th scope="row"><${Subject} subject=${subject} slug=${slug} names=${names} /></th>
            <td class="line"><${Badge} tone=${STATES[state][0]}>${STATES[state][1]}</${Badge}>
              ${alert && html` <a href=${href(at`/spaces/${slug}/alerts/${alert}`)}>alert</a>`}</td>
            <td class="muted"><${Time} at=${since} none="–" /></td>
          </tr>`,
        )}
      </${Table}></div>`
    }
  </section>`;
}

/** @param {{ rule: AlertRule, path: string, etag: string | null, slug: string }} props */
function Delete({ rule, path, etag, slug }) {
  const { why } = useSession();
  const [open, setOpen] = useState(false);
  const deleting = useAction();
  const remove = async () => {
    if (!(await deleting.run(path, { method: "DELETE", ifMatch: etag }))) return;
    notify(`${rule.name} is deleted`);
    go(href(at`/spaces/${slug}/rules`));
  };
  return html`<${Button} why=${why(MANAGE)} onClick=${() => setOpen(true)}>Delete…</${Button}>
    ${
      open &&
      html`<${Confirm} title="Delete this rule?" confirm="Delete it" busy=${deleting.busy} error=${deleting.error}
        onConfirm=${remove} onClose=${() => setOpen(false)}>
        The alerts of <strong><bdi>${rule.name}</bdi></strong> end, and nobody is told. To have its channels told, switch it off first.
      </${Confirm}>`
    }`;
}

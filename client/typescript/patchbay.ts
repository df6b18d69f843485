// The TypeScript client of Patchbay: fetch, typed by the API document, with tries that are safe.
//
//   const patchbay = new Patchbay({ baseUrl, apiKey });
//   const space = await patchbay.call("GET", "/spaces/{slug}", { path: { slug: "main" } });
//   for await (const event of patchbay.list("/spaces/{slug}/integration-events", { path: { slug: "main" } })) …
//
// The table of tries is that of the Python SDK, in client/README.md.
import type { paths } from "./api.ts";
import type { ErrorCode } from "./codes.ts";
import { KEYED } from "./keyed.ts";

export type { components, paths } from "./api.ts";
export type { ErrorCode } from "./codes.ts";

type Verb = "GET" | "POST" | "PATCH" | "DELETE";
type At<P extends keyof paths, V extends Verb> =
  Lowercase<V> extends keyof paths[P] ? paths[P][Lowercase<V>] : undefined;
type PathsWith<V extends Verb> = { [P in keyof paths]: At<P, V> extends undefined ? never : P }[keyof paths];
type Parameters<O, Place extends "path" | "query"> = O extends { parameters: { [K in Place]?: infer T } }
  ? T
  : undefined;
type Body<O> = O extends { requestBody: { content: { "application/json": infer T } } } ? T : undefined;
// What has to be given has to be given; what may be left out may.
type Part<Name extends string, T> = [T] extends [undefined]
  ? unknown
  : Record<string, never> extends T
    ? { [K in Name]?: T }
    : { [K in Name]: T };
export type Input<O> = Part<"path", Parameters<O, "path">> &
  Part<"query", Parameters<O, "query">> &
  Part<"body", Body<O>> &
  Common;
interface Common {
  headers?: Record<string, string>;
  signal?: AbortSignal;
}
interface Untyped extends Common {
  path?: Record<string, unknown>;
  query?: Record<string, unknown>;
  body?: unknown;
}
type Success<R> = R[keyof R & (200 | 201 | 202)];
export type Answer<O> = O extends { responses: infer R }
  ? Success<R> extends { content: { "application/json": infer T } }
    ? T
    : undefined
  : never;
type Item<A> = A extends { items: (infer T)[] } | { connections: (infer T)[] } ? T : never;

export interface Problem {
  pointer: string;
  message: string;
}

export interface Options {
  baseUrl: string;
  apiKey?: string;
  /** Tries after the first: 2 if it is left out. */
  maxRetries?: number;
  /** Of one try, with its body: 35 s if it is left out. */
  timeoutMs?: number;
  /** A transport of your own. */
  fetch?: typeof fetch;
}

/** An answer that is an error: decide by `code`, which is null if the answer is not Patchbay's. */
export class PatchbayError extends Error {
  override readonly name = "PatchbayError";
  readonly status: number;
  /** One that is newer than this package is a string, too. */
  readonly code: ErrorCode | (string & Record<never, never>) | null;
  readonly details: Record<string, unknown>;
  readonly errors: Problem[];
  readonly traceId: string | null;
  readonly retryAfterSeconds: number | null;

  constructor(response: Response, text: string) {
    const error = errorIn(text);
    super(error.message ?? `status ${response.status}`);
    this.status = response.status;
    this.code = error.code ?? null;
    this.details = error.details ?? {};
    this.errors = (this.details["errors"] as Problem[] | undefined) ?? [];
    this.traceId = error.trace_id ?? null;
    this.retryAfterSeconds = retryAfter(response);
  }

  /** JSON Pointers to what is wrong with the request. */
  get pointers(): string[] {
    return this.errors.map((problem) => problem.pointer);
  }
}

/** There is no whole answer: the deployment may have done what it was asked. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
}

/** A success that is not JSON: something else than Patchbay answered. */
export class UnexpectedAnswer extends Error {
  override readonly name = "UnexpectedAnswer";
}

/** A webhook that the deployment did not sign, or not lately. */
export class WebhookInvalid extends Error {
  override readonly name = "WebhookInvalid";
}

/** A client of one deployment. */
export class Patchbay {
  // Private in the language, so nothing that prints a client shows its key.
  readonly #baseUrl: string;
  readonly #authorization: Record<string, string>;
  readonly #maxRetries: number;
  readonly #timeoutMs: number;
  readonly #fetch: typeof fetch;

  constructor(options: Options) {
    const { protocol, hostname } = new URL(options.baseUrl);
    const isHere = ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
    if (protocol !== "https:" && !(protocol === "http:" && isHere))
      throw new TypeError("baseUrl must be https, or http on this machine");
    this.#baseUrl = options.baseUrl.replace(/\/+$/, "");
    this.#authorization = options.apiKey === undefined ? {} : { Authorization: `Bearer ${options.apiKey}` };
    this.#maxRetries = options.maxRetries ?? 2;
    this.#timeoutMs = options.timeoutMs ?? 35_000;
    // Some runtimes refuse a fetch that is called as a method of something else.
    this.#fetch = options.fetch ?? ((input, init) => fetch(input, init));
  }

  /** Calls one operation. Throws `PatchbayError`, or `NoAnswer`. */
  async call<V extends Verb, P extends PathsWith<V>>(
    verb: V,
    path: P,
    input: Input<At<P, V>>,
  ): Promise<Answer<At<P, V>>> {
    const text = await this.#answered(verb, path as string, input as Untyped);
    return (text === "" ? undefined : parsed(text)) as Answer<At<P, V>>;
  }

  /** All items of a list, page by page: none is asked for before it is needed. */
  async *list<P extends PathsWith<"GET">>(
    path: P,
    input: Input<At<P, "GET">>,
  ): AsyncGenerator<Item<Answer<At<P, "GET">>>> {
    const { query, ...rest } = input as Untyped;
    let cursor: unknown = query?.["cursor"];
    for (;;) {
      const text = await this.#answered("GET", path as string, { ...rest, query: { ...query, cursor } });
      const page = parsed(text);
      const next = page.next_cursor ?? page.nextCursor ?? null;
      yield* page.items ?? page.connections;
      if (next === null) return;
      if (next === cursor)
        throw new UnexpectedAnswer("the list does not go on: two pages have the same cursor");
      cursor = next;
    }
  }

  async #answered(verb: Verb, path: string, input: Untyped): Promise<string> {
    const url = this.#baseUrl + filled(path, input.path) + searched(input.query);
    const headers = new Headers({ ...input.headers, ...this.#authorization });
    const init: RequestInit = { method: verb, headers, redirect: "manual", credentials: "omit" };
    if (input.body !== undefined) {
      headers.set("Content-Type", "application/json");
      init.body = JSON.stringify(input.body);
    }
    // The same key for all tries, so that a create whose answer is lost makes one thing.
    if (KEYED.has(`${verb} ${path}`) && !headers.has("Idempotency-Key"))
      headers.set("Idempotency-Key", crypto.randomUUID());
    const isEdit = verb === "PATCH" && !headers.has("If-Match");
    const isRepeatable = verb === "GET" || verb === "DELETE" || isEdit || headers.has("Idempotency-Key");
    let mayBeDone = false;
    for (let tries = 1; ; tries++) {
      const timeout = AbortSignal.timeout(this.#timeoutMs);
      const isLast = tries > this.#maxRetries;
      let response: Response;
      let text: string;
      try {
        response = await this.#fetch(url, {
          ...init,
          signal: input.signal ? AbortSignal.any([input.signal, timeout]) : timeout,
        });
        text = await response.text();
      } catch (cause) {
        // fetch does not say whether the request was sent, so it may have been.
        if (input.signal?.aborted) throw cause;
        if (isLast || !isRepeatable) throw new NoAnswer("no answer", { cause });
        mayBeDone = true;
        await pause(backoff(tries), input.signal);
        continue;
      }
      if (response.ok) return text;
      if (response.status === 404 && verb === "DELETE" && mayBeDone) return "";
      const asked = retryAfter(response);
      const isBusy = AGAIN.has(response.status) || (response.status === 409 && asked !== null);
      const mayRepeat = response.status === 429 || (isRepeatable && isBusy);
      if (isLast || !mayRepeat || (asked ?? 0) > LONGEST_RETRY_AFTER_SECONDS)
        throw new PatchbayError(response, text);
      mayBeDone ||= response.status >= 500;
      await pause(asked === null ? backoff(tries) : asked + Math.random() / 2, input.signal);
    }
  }
}

/**
 * The message of a webhook, once its signature (Standard Webhooks, v1) and its age are right.
 * `body` is the text or the bytes as they came; `secret` may be several, while one is rotated.
 * Throws `WebhookInvalid`.
 */
export async function verifyWebhook(
  secret: string | readonly string[],
  headers: Headers,
  body: string | Uint8Array,
  toleranceSeconds = 300,
): Promise<Record<string, unknown>> {
  const [id, timestamp, signatures] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) =>
    headers.get(name),
  );
  if (!id || !timestamp || !signatures || !/^\d+$/.test(timestamp))
    throw new WebhookInvalid("a webhook header is missing, or not what it should be");
  if (Math.abs(Date.now() / 1000 - Number(timestamp)) > toleranceSeconds)
    throw new WebhookInvalid("the message is of another time");
  const content = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const start = new TextEncoder().encode(`${id}.${timestamp}.`);
  const signed = new Uint8Array([...start, ...content]);
  for (const one of typeof secret === "string" ? [secret] : secret) {
    const bytes = decoded(one.replace(/^whsec_/, ""));
    // Not even its length may be in a message.
    if (!bytes?.length) throw new TypeError("the secret is not one of a channel: whsec_ and base64");
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    const key = await crypto.subtle.importKey("raw", bytes, algorithm, false, ["verify"]);
    for (const [version, value] of signatures.split(" ").map((pair) => pair.split(","))) {
      const given = version === "v1" && value ? decoded(value) : null;
      if (given && (await crypto.subtle.verify("HMAC", key, given, signed))) return message(content);
    }
  }
  throw new WebhookInvalid("no signature is one of this secret");
}

function message(content: Uint8Array): Record<string, unknown> {
  const found = parsed(new TextDecoder().decode(content));
  if (typeof found !== "object" || found === null || Array.isArray(found))
    throw new WebhookInvalid("the body is not a JSON object");
  return found;
}

function decoded(base64: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
}

const AGAIN = new Set([408, 500, 502, 503, 504]);
const LONGEST_RETRY_AFTER_SECONDS = 60;

/** Rejects as soon as the caller cancels, as fetch does. */
function pause(seconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", cancel);
      resolve();
    }, seconds * 1000);
    if (signal?.aborted) cancel();
    else signal?.addEventListener("abort", cancel, { once: true });
  });
}

// biome-ignore lint/suspicious/noExplicitAny: what it is, the API document says
function parsed(text: string): any {
  try {
    return JSON.parse(text);
  } catch {
    throw new UnexpectedAnswer("the answer is not JSON");
  }
}

/** Half by chance, because those who failed together must not come back together. */
function backoff(tries: number): number {
  return Math.min(8, 0.5 * 2 ** (tries - 1)) * (0.5 + Math.random() / 2);
}

function retryAfter(response: Response): number | null {
  const value = response.headers.get("Retry-After");
  return value !== null && /^\d+$/.test(value) ? Number(value) : null;
}

function errorIn(text: string): {
  message?: string;
  code?: string;
  details?: Record<string, unknown>;
  trace_id?: string;
} {
  try {
    return JSON.parse(text)?.error ?? {};
  } catch {
    return {}; // A gateway or a proxy answered instead.
  }
}

function filled(path: string, values: Record<string, unknown> = {}): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const text = String(values[name] ?? "");
    if (text === "" || text === "." || text === "..")
      throw new TypeError(`${name} may not be empty or dots: it is a part of the path`);
    return encodeURIComponent(text);
  });
}

function searched(query: Record<string, unknown> = {}): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  return pairs.length ? `?${new URLSearchParams(pairs.map(([name, value]) => [name, String(value)]))}` : "";
}

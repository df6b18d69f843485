// Ten operations by openapi-fetch on the types of openapi-typescript. Prints what the test looks
// at, as JSON.
import createClient from "openapi-fetch";

import type { paths } from "./types.ts";

declare const process: { env: Record<string, string> };
const { API_URL, API_KEY, ORGANIZATION_ID, SPACE_ID, SPACE_SLUG, MANIFEST } = process.env;
const api = createClient<paths>({
  baseUrl: API_URL,
  headers: { Authorization: `Bearer ${API_KEY}` },
});
const BASE = "/v1/organizations/{organization_id}/knowledge/connectors" as const;
const slug = SPACE_SLUG;
const organization_id = ORGANIZATION_ID;

function of<T>(answer: { data?: T; error?: unknown }): T {
  if (answer.data === undefined) throw new Error(JSON.stringify(answer.error));
  return answer.data;
}

const made = of(
  await api.POST("/v1/integrations", {
    body: {
      workspaceId: SPACE_ID,
      publisher: slug,
      slug: "fetch",
      name: "Made by a client",
      authConfig: { type: "api_key" },
      manifest: JSON.parse(MANIFEST),
    },
  }),
);
const release = of(
  await api.POST("/v1/integrations/{integration_id}/publish", {
    params: { path: { integration_id: made.id } },
    body: { version: "1.0.0" },
  }),
);
const source = of(
  await api.POST(`${BASE}/sources`, {
    params: { path: { organization_id } },
    body: { name: "s", integration: `${slug}/fetch`, secrets: { api_key: "one of the provider" } },
  }),
);
const params = { path: { organization_id, source_id: source.id } };
const changed = of(
  await api.PATCH(`${BASE}/sources/{source_id}`, {
    params,
    body: { name: "changed", secrets: { api_key: "another one" } },
  }),
);
const read = of(await api.GET(`${BASE}/sources/{source_id}`, { params }));
const connection = of(
  await api.POST(`${BASE}/connections`, {
    params: { path: { organization_id } },
    body: { name: "c", source_id: source.id, space: slug },
  }),
);
const stored = of(
  await api.POST("/spaces/{slug}/integration-events", {
    params: { path: { slug } },
    body: { events: [{ integration_type: "metadata_sync", status: "SUCCESS" }] },
  }),
);
const health = of(
  await api.GET("/spaces/{slug}/integration-health", {
    params: { path: { slug }, query: { days: 1 } },
  }),
);
const rule = of(
  await api.POST("/spaces/{slug}/alert-rules", {
    params: { path: { slug } },
    body: { name: "down", condition: { kind: "connection_down" } },
  }),
);
const found = of(
  await api.GET(`${BASE}/connections`, {
    params: { path: { organization_id }, query: { space: slug, limit: 10 } },
  }),
);
const gone = await api.DELETE(`${BASE}/connections/{connection_id}`, {
  params: { path: { organization_id, connection_id: connection.id } },
});
const last = source.id.endsWith("0") ? "1" : "0";
const missing = await api.GET(`${BASE}/sources/{source_id}`, {
  params: { path: { organization_id, source_id: source.id.slice(0, -1) + last } },
});

const published: string = "publishedAt" in release ? release.publishedAt : "";
console.log(
  JSON.stringify({
    secrets_set: source.secrets_set,
    name: read.name,
    changed: "name" in changed ? changed.name : "",
    connections: found.items.map((one) => one.name),
    accepted: stored.accepted,
    total_events: health.total_events,
    condition: rule.condition.kind,
    deleted: gone.response.status === 204 && published ? "NO_CONTENT" : "",
    missing: missing.error?.error.code,
  }),
);

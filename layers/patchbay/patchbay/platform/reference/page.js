"use strict";
// Shows /openapi.json and the guides. Text is only ever set as text: nothing here parses HTML.

const find = (id) => document.getElementById(id);
const METHODS = ["get", "post", "patch", "delete"];
const guides = JSON.parse(find("guides").textContent);
let api;
let operations = [];
let apiKey = "";

function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== false && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.flat(9).filter((child) => child !== null && child !== undefined));
  return made;
}

const resolved = (value) =>
  value?.$ref ? value.$ref.slice(2).split("/").reduce((at, key) => at[key], api) : value;
const nameOf = (schema) => schema.$ref?.split("/").pop();

// ---------------------------------------------------------------- Markdown, as our guides use it

function inline(text, guide = "") {
  const parts = text.split(/(`[^`]+`|\*\*[^*]+\*\*|\[[^\]]+\]\([^)\s]+\))/);
  return parts.map((part) => {
    if (part.startsWith("`")) return el("code", {}, part.slice(1, -1));
    if (part.startsWith("**")) return el("strong", {}, ...inline(part.slice(2, -2), guide));
    const link = /^\[([^\]]+)\]\(([^)\s]+)\)$/.exec(part);
    return link ? anchor(link[1], link[2], guide) : part;
  });
}

function anchor(text, target, guide) {
  const known = /^(?:\/docs#\/guides\/)?([a-z]+)(?:\.md)?(?:#([\w-]+))?$/.exec(target);
  const section = /^#([\w-]+)$/.exec(target);
  const children = inline(text, guide);
  if (target.startsWith("https://")) return el("a", { href: target, rel: "noreferrer" }, children);
  if (section && guide) return el("a", { href: `#/guides/${guide}/${section[1]}` }, children);
  if (known && guides.some((one) => one.name === known[1]))
    return el("a", { href: `#/guides/${known[1]}${known[2] ? `/${known[2]}` : ""}` }, children);
  return el("span", {}, children);
}

const slugOf = (heading) =>
  heading.toLowerCase().replace(/[^\w\- ]/g, "").replaceAll(" ", "-");

function cells(line) {
  const inner = line.trim().replace(/^\|/, "").replace(/\|$/, "");
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

function markdown(text, guide = "") {
  // Pictures are for who reads the files: they are not deployed.
  const lines = text.replace(/<!--[\s\S]*?-->\n?|^!\[.*\)$/gm, "").split("\n");
  const blocks = [];
  const more = (test) => lines.length > 0 && test(lines[0]);
  while (lines.length) {
    const line = lines.shift();
    const heading = /^(#+) (.*)$/.exec(line);
    const fence = /^\s*```/.exec(line);
    const item = /^(\s*)(-|\d+\.) (.*)$/.exec(line);
    if (!line.trim()) continue;
    if (heading) {
      const level = `h${Math.min(heading[1].length, 4)}`;
      blocks.push(el(level, { id: slugOf(heading[2]) }, inline(heading[2], guide)));
    } else if (fence) {
      const code = [];
      while (more((next) => !/^\s*```/.test(next))) code.push(lines.shift());
      lines.shift();
      blocks.push(el("pre", { tabindex: 0 }, el("code", {}, code.join("\n"))));
    } else if (line.startsWith("|")) {
      const rows = [];
      if (more((next) => /^\|[\s:|-]+$/.test(next))) lines.shift();
      while (more((next) => next.startsWith("|"))) rows.push(cells(lines.shift()));
      const row = (kind, of) => el("tr", {}, of.map((cell) => el(kind, {}, inline(cell, guide))));
      const body = rows.map((of) => row("td", of));
      const table = el("table", {}, el("thead", {}, row("th", cells(line))), el("tbody", {}, body));
      blocks.push(el("div", { class: "scroll", tabindex: 0 }, table));
    } else if (item) {
      const items = [item[3]];
      while (more((next) => /^(\s*)(-|\d+\.) /.test(next) || /^\s+\S/.test(next))) {
        const next = lines.shift();
        const started = /^\s*(?:-|\d+\.) (.*)$/.exec(next);
        if (started) items.push(started[1]);
        else items[items.length - 1] += ` ${next.trim()}`;
      }
      const children = items.map((one) => el("li", {}, inline(one, guide)));
      blocks.push(el(item[2] === "-" ? "ul" : "ol", {}, children));
    } else {
      const paragraph = [line];
      while (more((next) => next.trim() && !/^(#|\s*```|\||- |\d+\. )/.test(next)))
        paragraph.push(lines.shift());
      blocks.push(el("p", {}, inline(paragraph.join(" "), guide)));
    }
  }
  return blocks;
}

// ---------------------------------------------------------------- schemas

function typeOf(schema) {
  if (schema.$ref)
    return el("a", { href: `#/schemas/${nameOf(schema)}` }, nameOf(schema));
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices)
    return el("span", {}, ...choices.flatMap((one, at) => (at ? [" or ", typeOf(one)] : [typeOf(one)])));
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum) return el("span", {}, schema.enum.map((one) => JSON.stringify(one)).join(", "));
  if (schema.type === "array") return el("span", {}, "list of ", typeOf(schema.items ?? {}));
  const values = schema.additionalProperties;
  if (values && typeof values === "object" && Object.keys(values).length)
    return el("span", {}, "map of ", typeOf(values));
  return schema.format ?? schema.type ?? "any";
}

function bounds(schema) {
  const one = (schema.anyOf ?? [schema])[0];
  const said = [];
  if (one.minimum !== undefined || one.maximum !== undefined)
    said.push(`${one.minimum ?? "…"} to ${one.maximum ?? "…"}`);
  if (one.maxLength !== undefined) said.push(`at most ${one.maxLength} characters`);
  if (one.maxItems !== undefined) said.push(`at most ${one.maxItems} items`);
  if (one.default !== undefined) said.push(`default ${JSON.stringify(one.default)}`);
  return said.join(", ");
}

function row(name, schema, required, description, example, where = "") {
  const facts = [where, required ? "required" : "", bounds(schema)].filter(Boolean).join(", ");
  const type = el("span", {}, typeOf(schema), facts ? `, ${facts}` : "");
  const plain = example !== undefined && (typeof example !== "object" || Array.isArray(example));
  const shown = plain ? el("small", {}, "Example: ", el("code", {}, JSON.stringify(example))) : null;
  return el("div", {}, el("dt", {}, name, type), el("dd", {}, inline(description ?? ""), shown));
}

function fields(schema) {
  const whole = resolved(schema);
  if (!whole.properties) return el("p", {}, typeOf(whole));
  const rows = Object.entries(whole.properties).map(([name, of]) =>
    row(name, of, (whole.required ?? []).includes(name), of.description, of.examples?.[0]),
  );
  return el("dl", {}, rows);
}

const json = (value) =>
  el("pre", { tabindex: 0 }, el("code", {}, typeof value === "string" ? value : JSON.stringify(value, null, 2)));

// ---------------------------------------------------------------- pages

function overview() {
  const groups = api.tags.map((tag) => [
    el("h2", {}, tag.name),
    el("p", {}, inline(tag.description)),
    el("ul", {}, operations.filter((one) => one.tags[0] === tag.name).map((one) =>
      el("li", {}, el("a", { href: `#/operations/${one.operationId}` }, inline(one.summary))))),
  ]);
  return [
    el("h1", {}, `Patchbay API ${api.info.version}`),
    el("p", {}, api.info.description),
    el("p", {}, "The whole API is one OpenAPI 3.1 document: ", el("a", { href: "/openapi.json" }, "/openapi.json"), "."),
    el("h2", {}, "Guides"),
    el("ul", {}, guides.map((one) => el("li", {}, el("a", { href: `#/guides/${one.name}` }, one.title)))),
    groups,
  ];
}

function curl(operation) {
  const filled = operation.path.replace(/\{(\w+)\}/g, (_, name) =>
    encodeURIComponent(operation.parameters?.find((one) => one.name === name)?.example ?? name));
  const required = (operation.parameters ?? []).filter((one) => one.in === "query" && one.required);
  const query = required.map((one) => `${one.name}=${encodeURIComponent(one.example)}`).join("&");
  const lines = [`curl -X ${operation.method.toUpperCase()} "$API_URL${filled}${query ? `?${query}` : ""}"`];
  if (operation.security.length) lines.push('-H "Authorization: Bearer $API_KEY"');
  const body = operation.requestBody?.content["application/json"];
  if (body) {
    lines.push('-H "Content-Type: application/json"');
    lines.push(`-d '${JSON.stringify(body.example).replaceAll("'", "'\\''")}'`);
  }
  return lines.join(" \\\n  ");
}

function tryIt(operation) {
  const inputs = (operation.parameters ?? []).map((one) => {
    const input = el("input", { value: one.in === "path" ? one.example : "", placeholder: one.example });
    return [one, input];
  });
  const key = el("input", { type: "password", value: apiKey, autocomplete: "off" });
  const content = operation.requestBody?.content["application/json"];
  const body = content ? el("textarea", { spellcheck: "false" }) : null;
  if (body) body.value = JSON.stringify(content.example, null, 2);
  const answer = el("div", { "aria-live": "polite" });
  async function send() {
    apiKey = key.value;
    const given = inputs.filter(([, input]) => input.value !== "");
    const of = (where) => given.filter(([one]) => one.in === where).map(([one, i]) => [one.name, i.value]);
    const path = operation.path.replace(/\{(\w+)\}/g, (_, name) =>
      encodeURIComponent(Object.fromEntries(of("path"))[name] ?? ""));
    const query = new URLSearchParams(of("query")).toString();
    const headers = { ...Object.fromEntries(of("header")) };
    if (operation.security.length) headers.Authorization = `Bearer ${apiKey}`;
    if (body) headers["Content-Type"] = "application/json";
    answer.replaceChildren(el("p", {}, "Waiting for the answer."));
    try {
      const got = await fetch(path + (query ? `?${query}` : ""), {
        method: operation.method.toUpperCase(), headers, body: body?.value,
      });
      const text = await got.text();
      let shown = text;
      try { shown = JSON.parse(text); } catch { /* not JSON: shown as it is */ }
      answer.replaceChildren(el("p", {}, el("strong", {}, `${got.status} ${got.statusText}`)), text ? json(shown) : "");
    } catch (error) {
      answer.replaceChildren(el("p", {}, `There was no answer: ${error.message}`));
    }
  }
  return el("details", {}, el("summary", {}, "Try it"),
    operation.security.length ? el("label", {}, "API key, which this page forgets when it is closed", key) : null,
    inputs.map(([one, input]) => el("label", {}, `${one.name} (${one.in})`, input)),
    body ? el("label", {}, "Body", body) : null,
    el("button", { type: "button", onclick: send }, "Send"), answer);
}

function contract(operation) {
  const said = operation["x-contract"];
  if (!said) return null;
  const policies = (said.policy?.policies ?? []).map((one) => `${one.key} v${one.version}`);
  const facts = [said.stability, ...(said.owners ?? []), ...policies].filter(Boolean).join(", ");
  return el("p", {}, "Contract: ", el("code", {}, said.key ?? operation.operationId), ` v${said.version}, ${facts}`);
}

function operationPage(id) {
  const one = operations.find((each) => each.operationId === id);
  if (!one) return missing();
  const parameters = (one.parameters ?? []).map((of) =>
    row(of.name, of.schema, of.required, of.description, of.example, `in ${of.in === "header" ? "a header" : `the ${of.in}`}`));
  const content = one.requestBody?.content["application/json"];
  const answers = Object.entries(one.responses).map(([status, ref]) => {
    const answer = resolved(ref);
    const of = Object.values(answer.content ?? {})[0];
    return el("details", status < "300" ? { open: "" } : {}, el("summary", {}, `${status} ${answer.description}`),
      of ? [json(of.example ?? ""), of.schema ? el("p", {}, "Schema: ", typeOf(of.schema)) : null] : el("p", {}, "No body."));
  });
  return [
    el("h1", {}, inline(one.summary)),
    el("p", { class: "path" }, el("span", { class: `method ${one.method}` }, one.method.toUpperCase()), ` ${one.path}`),
    markdown(one.description),
    el("p", {}, "Operation id: ", el("code", {}, one.operationId)),
    contract(one),
    el("pre", { tabindex: 0 }, el("code", {}, curl(one))),
    tryIt(one),
    parameters.length ? [el("h2", {}, "Parameters"), el("dl", {}, parameters)] : null,
    content ? [el("h2", {}, "Body"), json(content.example), el("p", {}, "Schema: ", typeOf(content.schema)), fields(content.schema)] : null,
    el("h2", {}, "Answers"), answers,
  ];
}

function schemaPage(name) {
  const schema = api.components.schemas[name];
  if (!schema) return missing();
  const users = operations.filter((one) => JSON.stringify([one.requestBody, one.responses]).includes(`/schemas/${name}"`));
  return [
    el("h1", {}, name), markdown(schema.description ?? ""), fields(schema),
    users.length ? [el("h2", {}, "Used by"), el("ul", {}, users.map((one) =>
      el("li", {}, el("a", { href: `#/operations/${one.operationId}` }, inline(one.summary)))))] : null,
  ];
}

async function guidePage(name) {
  if (!guides.some((one) => one.name === name)) return missing();
  const got = await fetch(`/docs/guides/${name}`);
  return got.ok ? markdown(await got.text(), name) : [el("p", {}, "The guide could not be read. Try again in a moment.")];
}

const missing = () => [el("h1", {}, "Not found"), el("p", {}, "The API document has no such page.")];

// ---------------------------------------------------------------- navigation

function matches(text) {
  const words = find("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  return words.every((word) => text.includes(word));
}

function showMenu() {
  const here = location.hash.split("/").slice(0, 3).join("/");
  const link = (href, ...children) =>
    el("li", {}, el("a", { href, "aria-current": href === here ? "page" : undefined }, ...children));
  const groups = [["Guides", guides.filter((one) => matches(one.text)).map((one) => link(`#/guides/${one.name}`, one.title))]];
  for (const tag of api.tags) {
    const of = operations.filter((one) => one.tags[0] === tag.name && matches(one.text));
    groups.push([tag.name, of.map((one) => link(`#/operations/${one.operationId}`,
      el("span", { class: `method ${one.method}` }, one.method.toUpperCase()), inline(one.summary)))]);
  }
  if (find("search").value)
    groups.push(["Schemas", Object.entries(api.components.schemas)
      .filter(([name, schema]) => matches(`${name} ${Object.keys(schema.properties ?? {}).join(" ")}`.toLowerCase()))
      .map(([name]) => link(`#/schemas/${name}`, name))]);
  const found = groups.filter(([, links]) => links.length);
  find("nav").replaceChildren(...(found.length
    ? found.flatMap(([title, links]) => [el("h2", {}, title), el("ul", {}, links)])
    : [el("p", { role: "status" }, "Nothing matches.")]));
}

function openMenu(open) {
  find("nav").classList.toggle("open", open);
  find("menu").setAttribute("aria-expanded", String(open));
}

async function show() {
  const address = location.hash;
  const [, kind, name, section] = address.split("/").map(decodeURIComponent);
  const pages = { operations: operationPage, schemas: schemaPage, guides: guidePage };
  const page = await (pages[kind] ? pages[kind](name) : overview());
  if (location.hash !== address) return;
  find("main").replaceChildren(...[page].flat(9).filter(Boolean));
  document.title = `${find("main").querySelector("h1")?.textContent ?? "Guide"} | Patchbay API`;
  openMenu(false);
  showMenu();
  if (section) find(section)?.scrollIntoView();
  else scrollTo(0, 0);
}

async function start() {
  const got = await fetch("/openapi.json");
  if (!got.ok) throw new Error(`status ${got.status}`);
  api = await got.json();
  for (const [path, methods] of Object.entries(api.paths))
    for (const method of METHODS.filter((one) => one in methods)) {
      const one = { ...methods[method], path, method };
      const body = resolved(one.requestBody?.content["application/json"]?.schema);
      const names = [...(one.parameters ?? []).map((of) => of.name), ...Object.keys(body?.properties ?? {})];
      one.text = [one.operationId, one.summary, method, path, one.description, ...names].join(" ").toLowerCase();
      operations.push(one);
    }
  addEventListener("hashchange", async () => { await show(); find("main").focus({ preventScroll: true }); });
  find("search").addEventListener("input", () => { showMenu(); openMenu(find("search").value !== ""); });
  find("menu").addEventListener("click", () => openMenu(!find("nav").classList.contains("open")));
  await show();
}

start().catch((error) => find("main").replaceChildren(el("p", {}, `The API document could not be read: ${error.message}`)));

// Draws openapi.json for people. Everything is made with DOM nodes and text, so that no text of the
// document can become markup, and nothing is asked of another place.
"use strict";

const base = new URL(".", location.href).href.replace(/\/$/, "");
let api = {};

/** An element with attributes and children; texts become text nodes, nothing else does. */
function h(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value !== false && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== ""));
  return element;
}

/** `code` and **bold** in a text. */
function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part) => {
    if (part.startsWith("`") && part.length > 2) return h("code", {}, part.slice(1, -1));
    if (part.startsWith("**") && part.length > 4) return h("strong", {}, part.slice(2, -2));
    return part;
  });
}

/** Paragraphs and lists. */
function prose(text) {
  return (text ?? "").split(/\n\s*\n/).filter(Boolean).map((block) => {
    if (!block.startsWith("- ")) return h("p", {}, inline(block.replaceAll("\n", " ")));
    const items = block.slice(2).split(/\n- /);
    return h("ul", {}, items.map((item) => h("li", {}, inline(item.replace(/\n\s*/g, " ")))));
  });
}

function resolve(value) {
  if (!value?.$ref) return value ?? {};
  const found = value.$ref.replace(/^#\//, "").split("/").reduce((place, name) => place?.[name], api);
  return { ...found, ...value, description: value.description ?? found?.description };
}

/** A copy button for a text. */
function copyButton(text) {
  const button = h("button", { class: "copy", type: "button" }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Pages that did not come over TLS have no clipboard: select the text instead.
      const range = document.createRange();
      range.selectNodeContents(button.parentElement.querySelector("code"));
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      document.execCommand("copy");
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  return button;
}

function box(title, text, coloured) {
  const code = h("code", {}, coloured ? colour(text) : text);
  return h("figure", { class: "box" }, h("figcaption", {}, title), copyButton(text),
    h("pre", { tabindex: "0", "aria-label": title }, code));
}

/** JSON in colours. */
function colour(text) {
  return text.split(/("(?:[^"\\]|\\.)*"(?:\s*:)?)/).map((part) => {
    if (!part.startsWith('"')) return part.split(/(-?\b\d+\b|\btrue\b|\bfalse\b|\bnull\b)/).map((piece, index) =>
      index % 2 ? h("span", { class: "number" }, piece) : piece);
    return h("span", { class: part.endsWith(":") ? "key" : "text" }, part);
  });
}

/** JSON that stays on one line where it is short. */
function show(value, indent = "", before = 0) {
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const list = Array.isArray(value);
  const [open, close] = list ? "[]" : "{}";
  const deeper = `${indent}  `;
  const parts = (inner) => Object.entries(value).map(([key, item]) => {
    const name = list ? "" : `${JSON.stringify(key)}: `;
    return name + show(item, inner, name.length);
  });
  const flat = open + parts(indent).join(", ") + close;
  if (!flat.includes("\n") && indent.length + before + flat.length < 50) return flat;
  return `${open}\n${parts(deeper).map((part) => deeper + part).join(",\n")}\n${indent}${close}`;
}

/** What a value can be, in a few words. */
function kind(schema) {
  const whole = resolve(schema);
  if (whole.type === "array") return `list of ${kind(whole.items)}`;
  if (typeof whole.additionalProperties === "object") return `map of ${kind(whole.additionalProperties)}`;
  const types = [whole.type ?? (whole.oneOf ? "object" : "anything")].flat();
  return types.map((type) => (type === "object" ? "object" : type)).join(" or ");
}

function bounds(schema) {
  const found = [];
  const range = (least, most, of) => {
    if (least !== undefined && most !== undefined) found.push(`${least} to ${most.toLocaleString("en")}${of}`);
    else if (most !== undefined) found.push(`at most ${most.toLocaleString("en")}${of}`);
    else if (least) found.push(`at least ${least}${of}`);
  };
  range(schema.minimum, schema.maximum, "");
  range(schema.minLength, schema.maxLength, " bytes");
  range(schema.minItems, schema.maxItems, " items");
  range(schema.minProperties, schema.maxProperties, " names");
  if (schema.default !== undefined) found.push(`usually ${schema.default}`);
  if (schema.format === "date-time") found.push("RFC 3339");
  if (schema.format === "uuid") found.push("UUID");
  return found.join(", ");
}

/** One line of a field with a mark (`required` of what is sent, `not always` of what comes back), and lines
 * for what is inside it. */
function field(name, schema, mark, depth, answer = false) {
  const whole = resolve(schema);
  const words = (whole.enum ?? whole.propertyNames?.enum)?.map((word, index) => [index ? " " : "", h("code", { class: "word" }, String(word))]);
  const row = h("div", { class: `field depth${Math.min(depth, 3)}` },
    h("div", { class: "what" }, h("code", { class: "fieldname" }, name), " ",
      h("span", { class: "kind" }, kind(whole), bounds(whole) ? `, ${bounds(whole)}` : ""),
      mark ? h("span", { class: answer ? "seldom" : "required" }, mark) : ""),
    h("div", { class: "meaning" }, inline((whole.description ?? "").replace(/ ?At most \d+ bytes of UTF-8\./, "")), words ? h("div", {}, words) : ""));
  return [row, inside(whole, depth + 1, answer)];
}

/** One of the shapes that an object can have, closed until somebody opens it. */
function variant(reference, depth, answer) {
  const whole = resolve(reference);
  return h("details", { class: `field depth${depth}` },
    h("summary", {}, h("code", { class: "fieldname" }, reference.$ref.split("/").pop()), " ", inline(whole.description ?? "")),
    inside(whole, depth + 1, answer));
}

/** The fields of an object, of the objects in a list, or of those by name. */
function inside(schema, depth, answer = false) {
  const whole = resolve(schema);
  const named = typeof whole.additionalProperties === "object" ? whole.additionalProperties : undefined;
  const object = whole.type === "array" ? resolve(whole.items) : resolve(named ?? whole);
  if (depth > 3) return [];
  if (object.oneOf) return object.oneOf.map((one) => variant(one, depth, answer));
  return Object.entries(object.properties ?? {}).map(([name, inner]) => {
    const required = object.required?.includes(name);
    const mark = answer ? !required && "not always" : required && "required";
    return field(name, inner, mark, depth, answer);
  });
}

function part(title, ...content) {
  return h("section", { class: "part" }, h("h4", {}, title), content);
}

/** The calls that a reader can paste. */
function curl(path, method, operation) {
  let url = base + path;
  for (const parameter of operation.parameters ?? [])
    if (parameter.in === "path") url = url.replace(`{${parameter.name}}`, encodeURIComponent(parameter.example));
  if (operation.responses["101"]) return `new WebSocket("${url.replace(/^http/, "ws")}")`;
  const open = operation.security?.some((one) => Object.keys(one).length === 0);
  const body = operation.requestBody?.content["application/json"].example;
  const lines = [`curl ${method === "get" || (method === "post" && body) ? "" : `-X ${method.toUpperCase()} `}${url}`];
  if (!open) lines.push(`  -H "Authorization: Bearer $TOKEN"`);
  if (body) lines.push(`  -d '${show(body, "  ", 4).replaceAll("'", "'\\''")}'`);
  return lines.join(" \\\n");
}

/** Refusals as lines: status, code, reason, meaning. */
function refusals(responses) {
  return responses.flatMap(([status, response]) =>
    Object.values(response.content["application/json"].examples).map((example) => {
      const { code, desc, data } = resolve(example).value;
      return h("tr", {}, h("td", {}, status), h("td", {}, String(code)), h("td", {}, h("code", {}, data.reason)),
        h("td", {}, inline(desc)));
    }));
}

function table(rows) {
  const head = ["HTTP", "code", "reason", "meaning"].map((name) => h("th", { scope: "col" }, name));
  return h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows)));
}

function answer(status, response) {
  const media = response.content?.["application/json"];
  const data = media?.schema.properties?.data;
  const fields = data ? inside(data, 0, true) : [];
  const empty = data?.type === "null" ? h("p", {}, h("code", {}, "data"), " is null.") : "";
  const list = data?.type === "array" ? h("p", {}, h("code", {}, "data"), " is a list, of:") : "";
  return part(`Answer ${status}`, h("p", {}, inline(response.description)), empty, list,
    fields.length ? h("div", { class: "fields" }, fields) : "");
}

function article({ path, method, operation }) {
  const parameters = operation.parameters ?? [];
  const body = operation.requestBody?.content["application/json"];
  const all = Object.entries(operation.responses);
  const [status, good] = all.find(([code]) => code < "300");
  const own = all.filter(([code, response]) => code >= "400" && !response.$ref);
  const example = good.content?.["application/json"]?.example;
  const places = { path: "in the path", query: "in the query", header: "header" };
  const grouped = Object.entries(places).flatMap(([place, where]) =>
    parameters.filter((one) => one.in === place).map((one) =>
      field(one.name, { ...one.schema, description: `${one.description} (${where})` }, one.required && "required", 0)));
  const bodyTitle = operation.requestBody?.required ? "Body" : "Body, may be empty";
  return h("article", { id: operation.operationId },
    h("div", { class: "say" },
      h("h3", {}, h("a", { href: `#${operation.operationId}` }, operation.summary)),
      h("p", { class: "route" }, h("span", { class: `method ${method}` }, method.toUpperCase()), " ", h("code", {}, path)),
      prose(operation.description),
      grouped.length ? part("Parameters", h("div", { class: "fields" }, grouped)) : "",
      body && inside(body.schema, 0).length ? part(bodyTitle, h("div", { class: "fields" }, inside(body.schema, 0))) : "",
      answer(status, good),
      own.length ? part("Refusals", table(refusals(own)),
        h("p", { class: "more" }, "Besides, ", h("a", { href: "#refusals" }, "what every call can meet"), ".")) : ""),
    h("div", { class: "show" },
      box(status === "101" ? "JavaScript" : "curl", curl(path, method, operation), false),
      example ? box(`Answer ${status}`, show(example), true) : ""));
}

function common() {
  const names = ["Unauthorized", "BodyTooLarge", "TooManyRequests", "Internal", "ChangeUnavailable"];
  const status = { Unauthorized: "401", BodyTooLarge: "413", TooManyRequests: "429", Internal: "500", ChangeUnavailable: "503" };
  const rows = refusals(names.map((name) => [status[name], api.components.responses[name]]));
  return h("section", { class: "group", id: "refusals" }, h("h2", {}, "What every call can meet"),
    h("p", {}, "429 and 503 carry ", h("code", {}, "Retry-After"), ": the seconds after which a retry makes sense."),
    table(rows));
}

function draw() {
  const operations = Object.entries(api.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ path, method, operation })));
  const list = document.getElementById("list");
  const main = document.getElementById("main");
  const about = h("section", { id: "about", class: "group" }, h("h1", {}, `${api.info.title} API`), prose(api.info.description),
    h("p", {}, "The lines to copy take a token from the shell: ", h("code", {}, "TOKEN=$(muster token alice)"), "."));
  main.replaceChildren(about);
  for (const tag of api.tags) {
    const of = operations.filter(({ operation }) => operation.tags?.includes(tag.name));
    if (!of.length) continue;
    main.append(h("section", { class: "group" }, h("h2", { id: `tag-${tag.name}` }, tag.name),
      prose(tag.description), of.map(article)));
    list.append(h("div", { class: "entries" }, h("a", { class: "tag", href: `#tag-${tag.name}` }, tag.name),
      of.map(({ path, method, operation }) => h("a", {
        class: "entry", href: `#${operation.operationId}`,
        "data-text": `${tag.name} ${method} ${path} ${operation.summary} ${operation.operationId}`.toLowerCase(),
      }, h("span", { class: `method ${method}` }, method.toUpperCase()), h("span", {}, operation.summary)))));
  }
  main.append(common());
  list.append(h("div", { class: "entries" }, h("a", { class: "tag", href: "#refusals" }, "What every call can meet")));
  document.getElementById("version").textContent = api.info.version;
  follow();
  if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

/** Marks in the contents what is being read. */
function follow() {
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const link = document.querySelector(`.entry[href="#${entry.target.id}"]`);
      if (entry.isIntersecting && link) {
        document.querySelector(".entry[aria-current]")?.removeAttribute("aria-current");
        link.setAttribute("aria-current", "true");
      }
    }
  }, { rootMargin: "-15% 0px -75% 0px" });
  document.querySelectorAll("article").forEach((one) => seen.observe(one));
}

function prepare() {
  const root = document.documentElement;
  const kept = localStorage.getItem("theme");
  if (kept) root.dataset.theme = kept;
  document.getElementById("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
  });
  const menu = document.getElementById("menu");
  const open = (yes) => {
    document.body.classList.toggle("open", yes);
    menu.setAttribute("aria-expanded", String(yes));
  };
  menu.addEventListener("click", () => open(!document.body.classList.contains("open")));
  document.getElementById("list").addEventListener("click", () => open(false));
  document.getElementById("filter").addEventListener("input", (event) => {
    const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const entry of document.querySelectorAll(".entry"))
      entry.hidden = !words.every((word) => entry.dataset.text.includes(word));
    for (const group of document.querySelectorAll(".entries"))
      group.hidden = words.length > 0 && !group.querySelector(".entry:not([hidden])");
  });
}

prepare();
fetch(`${base}/v1/openapi.json`)
  .then((response) => (response.ok ? response.json() : Promise.reject(new Error(`status ${response.status}`))))
  .then((found) => { api = found; draw(); })
  .catch((error) => { document.getElementById("main").replaceChildren(h("p", {}, `The document could not be read: ${error.message}`)); });

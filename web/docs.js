/**
 * Draws the OpenAPI document for people: every address, who may call it, what
 * it takes and what it answers.
 */
import { h } from "./dom.js";

const METHODS = ["get", "post", "put", "patch", "delete"];

/** @typedef {Record<string, any>} Json */

/** @param {Json} schema @returns {string} */
function typeName(schema) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.anyOf) return schema.anyOf.map(typeName).join(" or ");
  if (schema.enum) return schema.enum.map((/** @type {unknown} */ value) => JSON.stringify(value)).join(" or ");
  if (schema.type === "array") return `list of ${typeName(schema.items ?? {})}`;
  return schema.type ?? "anything";
}

/** @param {Json | undefined} content */
function contentType(content) {
  const json = content?.["application/json"];
  return json ? typeName(json.schema) : "nothing";
}

/** @param {string} path @param {string} method @param {Json} operation */
function operationSection(path, method, operation) {
  const [status, success] = Object.entries(operation.responses)[0] ?? ["", {}];
  return h("section", { class: "docs-operation" },
    h("h3", {}, h("code", {}, `${method.toUpperCase()} ${path}`)),
    h("p", {}, operation.summary),
    h("dl", {},
      h("dt", {}, "Who"), h("dd", {}, operation["x-access"]),
      h("dt", {}, "Takes"), h("dd", {}, contentType(operation.requestBody?.content)),
      h("dt", {}, "Answers"), h("dd", {}, `${status} with ${contentType(success.content)}`)));
}

/** @param {string} name @param {Json} schema */
function schemaSection(name, schema) {
  const required = new Set(schema.required ?? []);
  const fields = Object.entries(schema.properties ?? {}).map(([field, kind]) =>
    h("tr", {},
      h("th", { scope: "row" }, h("code", {}, field)),
      h("td", {}, typeName(kind)),
      h("td", {}, required.has(field) ? "required" : "optional")));
  return h("section", { class: "docs-schema" },
    h("h3", {}, name),
    schema.description ? h("p", {}, schema.description) : null,
    fields.length ? h("table", {},
      h("thead", {}, h("tr", {}, ...["Field", "Type", "Presence"].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, ...fields)) : null);
}

async function main() {
  const response = await fetch(new URL("openapi.json", document.baseURI));
  const description = /** @type {Json} */ (await response.json());
  const operations = Object.entries(description.paths).flatMap(([path, methods]) =>
    METHODS.filter((method) => method in methods).map((method) => operationSection(path, method, methods[method])));
  const schemas = Object.entries(description.components.schemas).map(([name, schema]) => schemaSection(name, schema));
  document.getElementById("docs")?.append(
    h("h2", {}, "Addresses"), ...operations, h("h2", {}, "Documents"), ...schemas);
}

await main();

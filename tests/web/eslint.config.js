/** How the page's JavaScript is checked; `npm run lint` in this folder. */
import js from "@eslint/js";
import globals from "globals";

/** Which folder may import which: views → parts → the rest, never back. */
const backwards = (patterns, message) => ["error", { patterns: [{ group: patterns, message }] }];

export default [
  { ignores: ["web/vendor/**"] },
  js.configs.recommended,
  {
    files: ["web/**/*.js"],
    languageOptions: { ecmaVersion: 2022, sourceType: "module", globals: globals.browser },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "eqeqeq": ["error", "always", { null: "ignore" }],
      "max-lines": ["error", 400],
      "max-lines-per-function": ["error", { max: 50, skipComments: true }],
      "complexity": ["error", 20],
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      "no-script-url": "error",
      "no-restricted-properties": ["error",
        ...["innerHTML", "outerHTML", "insertAdjacentHTML", "setHTMLUnsafe"].map((property) => ({ property, message: "Strings become text nodes: see dom.js." })),
        { object: "document", property: "write" }, { object: "document", property: "cookie", message: "There is no cookie." }],
      "no-var": "error",
      "prefer-const": "error",
      "object-shorthand": "error",
      "no-unused-vars": ["error", { caughtErrors: "none" }],
      "no-shadow": "error",
      "curly": ["error", "multi-line"],
    },
  },
  { files: ["web/views/*.js"], ignores: ["web/views/index.js"], rules: { "no-restricted-imports": backwards(["./*.js", "../app.js"], "No view imports a view or the frame.") } },
  { files: ["web/parts/*.js"], rules: { "no-restricted-imports": backwards(["../views/*", "../app.js"], "Parts do not know the views.") } },
  { files: ["web/*.js"], ignores: ["web/app.js"], rules: { "no-restricted-imports": backwards(["./views/*", "./parts/*", "./app.js"], "Only app.js knows views and parts.") } },
];

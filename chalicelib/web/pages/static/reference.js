// The reference: Swagger UI on openapi.json of this server, with a search over all that an operation says.
"use strict";
const page = document.currentScript.dataset;
const here = location.origin + location.pathname;
const login = window.opener && window.opener.swaggerUIRedirectOauth2;

// This page is also where "Authorize" comes back to, in the window that it has opened.
function finishLogin() {
  const answer = new URLSearchParams(location.search);
  if (answer.get("state") !== login.state || !answer.get("code")) {
    const message = answer.get("error_description") || answer.get("error") || "The answer is not to our request.";
    login.errCb({ authId: login.auth.name, source: "auth", level: "error", message });
  } else {
    delete login.state;
    login.auth.code = answer.get("code");
    login.callback({ auth: login.auth, redirectUrl: login.redirectUrl });
  }
  window.close();
}

// Keeps the operations that have every word somewhere in them.
function search(groups, typed) {
  const words = String(typed).toLowerCase().split(/\s+/);
  const fits = (each) => {
    const operation = each.get("operation");
    const texts = [each.get("method"), each.get("path"), operation.get("summary"), operation.get("description")];
    const text = [...texts, operation.get("operationId"), fieldsOf(operation)].join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  };
  return groups
    .map((group) => group.set("operations", group.get("operations").filter(fits)))
    .filter((group) => group.get("operations").size);
}

// From 150 lines on the renderer keeps but those in sight: nothing else would be found in the page, and links to groups
// would lead nowhere. So it draws each group as if there were no other.
const groupByGroup = (Operations, { React }) => (system) => {
  const groups = system.specSelectors.taggedOperations();
  const drawing = (group, name) => {
    const specSelectors = { ...system.specSelectors, taggedOperations: () => groups.filter((_, each) => each === name) };
    return React.createElement(Operations, { ...system, specSelectors, key: name });
  };
  return groups.size ? groups.map(drawing).toList().toArray() : React.createElement(Operations, system);
};

// What the renderer leaves without a name for who hears the page.
function label() {
  const servers = document.getElementById("servers");
  if (!servers) {
    requestAnimationFrame(label);
    return;
  }
  servers.setAttribute("aria-label", "Server");
  servers.closest(".scheme-container").setAttribute("role", "region");
  servers.closest(".scheme-container").setAttribute("aria-label", "Server and login");
}

// The renderer opens the dialog of "Authorize" at its last field, and without a name for its cross.
function labelDialog() {
  const dialog = document.querySelector("#reference .dialog-ux .modal-ux:not([role])");
  if (!dialog) return;
  const heading = dialog.querySelector("h3");
  const cross = dialog.querySelector(".close-modal");
  dialog.setAttribute("role", "dialog");
  dialog.setAttribute("aria-modal", "true");
  dialog.setAttribute("aria-label", heading.textContent);
  cross.setAttribute("aria-label", "Close");
  for (const each of dialog.querySelectorAll(".scopes h2")) each.setAttribute("aria-level", "5");
  const first = dialog.querySelector(".auth-container input, .auth-container button");
  dialog.querySelector(".modal-ux-content").scrollTop = 0;
  (first || cross).focus();
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "Escape") cross.click();
  });
}

function fieldsOf(operation) {
  const names = (operation.get("parameters") || []).map((each) => each.get("name"));
  const contents = operation.getIn(["requestBody", "content"]);
  const forms = contents ? contents.valueSeq().map((each) => (each.getIn(["schema", "properties"])?.keySeq() || []).join(" ")) : [];
  return [...names, ...forms].join(" ");
}

function show() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
  dark.addEventListener("change", follow);
  follow();
  const ui = SwaggerUIBundle({
    url: page.document,
    dom_id: "#reference",
    presets: [SwaggerUIBundle.presets.apis],
    plugins: [() => ({ fn: { opsFilter: search }, wrapComponents: { operations: groupByGroup } })],
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    displayOperationId: false,
    displayRequestDuration: true,
    filter: true,
    persistAuthorization: false,
    validatorUrl: null,
    withCredentials: false,
    queryConfigEnabled: false,
    oauth2RedirectUrl: here,
    onComplete: () => {
      ui.initOAuth({ clientId: page.client, usePkceWithAuthorizationCodeGrant: true });
      // What no program calls is half of all there is to draw.
      ui.layoutActions.show(["operations-tag", "Pages"], false);
      label();
      new MutationObserver(labelDialog).observe(document.getElementById("reference"), { childList: true, subtree: true });
      document.documentElement.dataset.ready = "yes";
    },
  });
  const box = document.getElementById("search");
  box.addEventListener("input", () => ui.layoutActions.updateFilter(box.value.trim() || true));
}

if (login && location.search) finishLogin();
else show();

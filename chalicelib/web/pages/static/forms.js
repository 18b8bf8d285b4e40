(() => {
  "use strict";
  const texts = document.currentScript.dataset;
  const typed = (name) => document.getElementById(name);
  const all = (selector, act) => document.querySelectorAll(selector).forEach(act);
  const hide = () => all(".password button", (button) => button.show(false));
  let sent;

  all(".password", (place) => {
    const field = place.firstElementChild, [button, note] = ["button", "p"].map((name) => document.createElement(name));
    const set = (name, value) => button.setAttribute(name, value);
    button.type = "button";
    button.innerHTML =
      '<svg viewBox="0 0 24 24"><path d="M2 12s4-7 10-7 10 7 10 7-4 7-10 7-10-7-10-7z"/><circle cx="12" cy="12" r="3"/><path d="M4 20 20 4"/></svg>';
    button.title = texts.show;
    set("aria-label", texts.show);
    set("aria-controls", field.id);
    button.show = (shown) => {
      field.type = shown ? "text" : "password";
      set("aria-pressed", shown);
    };
    button.onclick = () => button.show(field.type == "password");
    button.show(false);
    let caps;
    note.className = "hint";
    note.setAttribute("aria-live", "polite");
    field.onkeydown = field.onkeyup = field.oninput = field.onblur = (event) => {
      if (event.type != "input") caps = event.getModifierState?.("CapsLock");
      const enough = field.minLength > 0 && [...field.value.normalize()].length >= field.minLength;
      const text = caps ? texts.capsLock : enough ? `✓ ${texts.longEnough}` : "";
      if (note.textContent != text) note.textContent = text;
    };
    place.append(button);
    place.after(note);
  });

  const release = () => {
    sent?.removeAttribute("aria-disabled");
    sent = null;
  };
  addEventListener("submit", (event) => {
    if (event.target.dataset.download != null) return;
    if (sent) return event.preventDefault();
    hide();
    sent = event.submitter || event.target;
    sent.setAttribute("aria-disabled", true);
    setTimeout(release, 15000);
  });
  addEventListener("pageshow", () => { release(); hide(); });

  const code = typed("user_code"), email = typed("email");
  code?.addEventListener("input", (event) => {
    const letters = code.value.toUpperCase().replace(/[^A-Z]/g, "");
    if (event.inputType?.startsWith("delete") || code.selectionEnd < code.value.length || letters.length > 8) return;
    code.value = letters.replace(/^.{4}(?=.)/, "$&-");
  });
  try {
    all("[data-carries]", (link) => { link.onclick = () => { sessionStorage.email = email.value; }; });
    if (email?.dataset.carried != null) email.value ||= sessionStorage.email || "";
  } catch { /* private windows may have none */ }
})();

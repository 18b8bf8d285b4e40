(() => {
  "use strict";
  const form = document.getElementById("passkey");
  if (!form || !window.PublicKeyCredential || !navigator.credentials) return;
  const { kind, options, rp, unknown, accepted, user } = form.dataset;
  const button = form.querySelector("button:not([type])"); // not the one that shows a password
  const note = document.getElementById("passkey-note");
  const RENEW = 4 * 60 * 1000; // a login is good for ten minutes
  const LAST = "latchkey-passkey";

  // Encoders of our own: those of the browser are young, and fail on what some password managers make.
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const named = (list) => list.map((each) => ({ ...each, id: bytes(each.id) }));
  const request = (json) => ({ ...json, challenge: bytes(json.challenge), allowCredentials: named(json.allowCredentials) });
  const creation = (json) => ({
    ...json,
    challenge: bytes(json.challenge),
    user: { ...json.user, id: bytes(json.user.id) },
    excludeCredentials: named(json.excludeCredentials),
  });
  const answer = ({ id, type, response }) => {
    const members = {};
    for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"])
      if (response[name]) members[name] = text(response[name]);
    if (response.getTransports) members.transports = response.getTransports();
    return JSON.stringify({ id, rawId: id, type, response: members, clientExtensionResults: {} });
  };
  const send = (credential, attempt) => {
    if (attempt) form.elements.attempt.value = attempt;
    form.elements.answer.value = answer(credential);
    try { sessionStorage.setItem(LAST, credential.id); } catch { /* private windows may have none */ }
    form.requestSubmit(button);
  };
  const show = (name) => { note.textContent = note.dataset[name] || ""; note.hidden = !note.textContent; };

  // What a device is to forget, and what it may keep, where its browser takes such hints.
  const hint = (name, value) => { if (PublicKeyCredential[name]) PublicKeyCredential[name]({ rpId: rp, ...value }).catch(() => {}); };
  if (unknown) {
    try { const id = sessionStorage.getItem(LAST); if (id) hint("signalUnknownCredential", { credentialId: id }); } catch { /* as above */ }
  }
  if (accepted) hint("signalAllAcceptedCredentials", { userId: user, allAcceptedCredentialIds: JSON.parse(accepted) });

  let pending = new AbortController();
  const anew = () => { pending.abort(); pending = new AbortController(); return pending.signal; };
  // Whoever closes the browser's own window wants nothing else to happen.
  const failed = (error) => show(error.name === "InvalidStateError" ? "here" : "");

  const login = async () => {
    let now;
    const conditional = Boolean(await PublicKeyCredential.isConditionalMediationAvailable?.());
    const wait = () => {
      if (!conditional || !now) return;
      const { attempt, publicKey } = now;
      navigator.credentials.get({ publicKey: request(publicKey), mediation: "conditional", signal: anew() })
        .then((credential) => credential && send(credential, attempt)).catch(() => {});
    };
    const renew = async () => {
      const to = encodeURIComponent(form.elements.to.value);
      const response = await fetch(`${form.action}?to=${to}`, { credentials: "same-origin", cache: "no-store" });
      if (!response.ok) return;
      now = await response.json();
      form.hidden = false;
      wait();
    };
    button.addEventListener("click", (event) => {
      event.preventDefault();
      const { attempt, publicKey } = now;
      navigator.credentials.get({ publicKey: request(publicKey), signal: anew() })
        .then((credential) => send(credential, attempt)).catch(wait);
    });
    setInterval(() => renew().catch(() => {}), RENEW);
    const field = document.querySelector("input[name=passkeys]");
    if (field) field.value = "1";
    await renew();
  };
  const proof = () => {
    const publicKey = request(JSON.parse(options));
    button.addEventListener("click", (event) => {
      event.preventDefault();
      if (!form.reportValidity()) return;
      navigator.credentials.get({ publicKey, signal: anew() }).then((credential) => send(credential)).catch(failed);
    });
    form.hidden = false;
  };
  const add = async () => {
    const { attempt, publicKey } = JSON.parse(options);
    button.addEventListener("click", (event) => {
      event.preventDefault();
      navigator.credentials.create({ publicKey: creation(publicKey), signal: anew() })
        .then((credential) => send(credential, attempt)).catch(failed);
    });
    form.hidden = false;
    // After a password that the browser has kept it may make one by itself, and need not answer if it does not.
    if (!form.dataset.automatic || !(await PublicKeyCredential.getClientCapabilities?.())?.conditionalCreate) return;
    const automatic = JSON.parse(form.dataset.automatic);
    navigator.credentials.create({ publicKey: creation(automatic.publicKey), mediation: "conditional", signal: anew() })
      .then((credential) => credential && send(credential, automatic.attempt)).catch(() => {});
  };
  const enrol = async () => {
    await add();
    // Once another tab has gone on, a passkey that is made here would take the place of that one on the device.
    document.addEventListener("visibilitychange", async () => {
      if (document.hidden) return;
      const page = await fetch(location.href, { redirect: "manual", credentials: "same-origin", cache: "no-store" });
      if (page.type === "opaqueredirect") location.reload();
    });
  };
  const signup = async () => {
    const { attempt, publicKey } = JSON.parse(options);
    const typed = (name) => document.getElementById(name);
    button.addEventListener("click", (event) => {
      event.preventDefault();
      if (!typed("email").reportValidity()) return;
      const [email, name] = [typed("email").value.trim(), typed("name").value.trim()];
      form.elements.email.value = email;
      form.elements.name.value = name;
      const json = { ...publicKey, user: { ...publicKey.user, name: email, displayName: name || email } };
      navigator.credentials.create({ publicKey: creation(json), signal: anew() })
        .then((credential) => send(credential, attempt)).catch(failed);
    });
    form.hidden = false;
  };
  ({ login, proof, add, enrol, signup })[kind]?.()?.catch?.(() => {});
})();

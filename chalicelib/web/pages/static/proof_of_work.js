(async () => {
  const form = document.forms[0], bits = Number(form.dataset.bits), encoder = new TextEncoder(), batch = 500;
  const zeros = digest => {
    const place = digest.findIndex(byte => byte);
    return place < 0 ? 256 : 8 * place + Math.clz32(digest[place]) - 24;
  };
  for (let first = 0; ; first += batch) {
    const digests = await Promise.all(Array.from({ length: batch }, (_, place) =>
      crypto.subtle.digest("SHA-256", encoder.encode(`${form.challenge.value}.${first + place}`))));
    const place = digests.findIndex(digest => zeros(new Uint8Array(digest)) >= bits);
    if (place >= 0) {
      form.number.value = first + place;
      return form.submit();
    }
  }
})();

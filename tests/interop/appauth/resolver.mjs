// AppAuth's modules leave out each other's endings, as bundlers allow; and the browser that it opens is the test's person.

/** Finds what Node would not, for AppAuth alone. */
export async function resolve(specifier, context, next) {
  if (!context.parentURL?.includes('/@openid/appauth/')) return next(specifier, context)
  if (specifier === 'opener') return next(new URL('browser.mjs', import.meta.url).href, context)
  return next(specifier.startsWith('.') ? `${specifier}.js` : specifier, context)
}

// A script that is run once more is read once more, with all that it imports of ours; libraries are read once.

/** Marks what a marked module imports from beside it with the same mark. */
export async function resolve(specifier, context, next) {
  const { search = '' } = context.parentURL?.startsWith('file:') ? new URL(context.parentURL) : {}
  const module = await next(specifier, context)
  return search && specifier.startsWith('.') && !specifier.endsWith('/lines.mjs') ? { ...module, url: module.url + search } : module
}

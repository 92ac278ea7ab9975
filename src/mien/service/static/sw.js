// Keeps the private page in the browser, so that it works offline once loaded. `mien web` writes the
// names of its files here; a page whose files changed replaces the kept one when its tabs are closed.

const SITE = null;
const CACHE = `mien ${self.registration.scope} `;

self.addEventListener("install", (event) => {
  const requests = SITE.files.map((name) => new Request(name, { cache: "no-cache" }));
  event.waitUntil(caches.open(CACHE + SITE.version).then((cache) => cache.addAll(requests)));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(caches.keys().then(async (names) => {
    const old = names.filter((name) => name.startsWith(CACHE) && name !== CACHE + SITE.version);
    await Promise.all(old.map((name) => caches.delete(name)));
    await self.clients.claim();
  }));
});

self.addEventListener("fetch", (event) => {
  if (event.request.method !== "GET") return;
  event.respondWith(caches.open(CACHE + SITE.version).then(async (cache) => {
    const page = new URL(self.registration.scope).pathname;
    const { pathname } = new URL(event.request.url);
    const isPage = pathname === page || pathname === `${page}index.html`;
    const kept = await cache.match(isPage ? page : event.request, { ignoreSearch: true });
    if (!kept) return fetch(event.request);
    // The headers of `mien serve`: with them the page has threads, and can reach its own host alone.
    const headers = new Headers(kept.headers);
    for (const [name, value] of Object.entries(SITE.headers)) headers.set(name, value);
    return new Response(kept.body, { status: kept.status, headers });
  }));
});

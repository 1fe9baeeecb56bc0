"""The tab "Gradient flow" of TensorBoard, and the same page as one file.

`loader` is what TensorBoard imports, `plugin` answers the page's requests, `stored` reads the runs
for it, `export` writes the page with some runs inside. The page's sources are in `page`, and the
built page, which is what is served, is in `static`; `npm ci && npm run build` in `page` builds it.
"""

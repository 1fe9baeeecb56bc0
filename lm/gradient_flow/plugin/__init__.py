"""The tab "Gradient flow" of TensorBoard, and the same page as one file.

TensorBoard imports `loader`. `plugin` answers the page's requests, and `data_reader` reads the runs
for it. `export` writes the page with some runs inside, which `event_reader` reads. The page's
sources are in `page`; `npm ci && npm run build` there builds the page that is served, in `static`.
"""

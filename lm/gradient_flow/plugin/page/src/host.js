// Where the page is: in TensorBoard's frame, which is of the same origin, or in a file of its own.
// TensorBoard offers no way to read its filter, its theme or its address, so they are read from the
// page around the frame; where that is not to be had, the page does without.

const PLUGIN = "lm-gradient-flow";
const EVERY = 500; // ms between two looks at TensorBoard's filter, which it changes without a word

function around() {
  try {
    return window.parent !== window && window.parent.document ? window.parent : null;
  } catch {
    return null;
  }
}

export function findHost() {
  const outer = around();
  return outer ? inTensorBoard(outer) : onItsOwn();
}

function inTensorBoard(outer) {
  const prefix = `p.${PLUGIN}.`;
  const filter = () => new URLSearchParams(outer.location.search).get("runFilter") ?? "";
  const parts = () => outer.location.hash.slice(1).split("&");
  return {
    prefix,
    filter,
    address: () => (parts()[0] === PLUGIN ? parts().slice(1).join("&") : ""),
    remember(text) {
      // Another tab may be open by now: its address is not this page's.
      if (parts()[0] !== PLUGIN) return;
      const others = parts()
        .slice(1)
        .filter((part) => part && !part.startsWith(prefix));
      const hash = [PLUGIN, ...others, ...(text ? [text] : [])].join("&");
      outer.history.replaceState(outer.history.state, "", `#${hash}`);
    },
    dark: () => outer.document.body.classList.contains("dark-mode"),
    watch({ themed, filtered, addressed }) {
      const { MutationObserver } = window;
      new MutationObserver(themed).observe(outer.document.body, { attributeFilter: ["class"] });
      outer.addEventListener("hashchange", addressed);
      let last = filter();
      setInterval(() => {
        if (filter() === last) return;
        last = filter();
        filtered(last);
      }, EVERY);
    },
    keys: [document, outer.document],
  };
}

function onItsOwn() {
  const wish = window.matchMedia("(prefers-color-scheme: dark)");
  return {
    prefix: "",
    filter: () => "",
    address: () => location.hash.slice(1),
    remember: (text) => history.replaceState(null, "", `#${text}`),
    dark: () => wish.matches,
    watch({ themed, addressed }) {
      wish.addEventListener("change", themed);
      window.addEventListener("hashchange", addressed);
    },
    keys: [document],
  };
}

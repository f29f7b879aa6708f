"""The live picture: what exists now of a chapter, drawn in the vocabulary of the still pictures, and held to its plan.

Data flows one way: `look` reads what exists into a scene, `plan` says what differs from the chapter's planned picture,
`layout` gives everything its place, `words` says the same in sentences, `watcher` does that again whenever something
may have changed, and `widget` hands it to the browser, where `live.js` draws. Nothing here changes the world.
"""

from labs.kit.live.widget import as_text, live_widget

__all__ = ["as_text", "live_widget"]

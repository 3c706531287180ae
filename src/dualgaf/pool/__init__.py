"""Who fills the chunks of a store: processes, threads, or this thread; and the ladder between."""

"""Who fills the chunks of a store: processes, threads, or this thread, one after the other."""

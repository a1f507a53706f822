//! Record batches (magic 2): a builder that appends into one buffer, a lazy iterator that yields views.

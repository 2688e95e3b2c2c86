"""The proof that the topics of a stream hold what its CMS delivers."""

"""One vendor at a time: what is sent, and what each response means. Pure, so no server is needed."""

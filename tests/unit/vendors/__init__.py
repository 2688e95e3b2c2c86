"""One vendor at a time: what is sent, what each response means. Pure, so without any server."""

"""Unit tests of `connector/cms/`: the CMS side, without a server."""

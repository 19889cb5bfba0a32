"""The path of one delivered message: from the signed request to the items that follow from it."""

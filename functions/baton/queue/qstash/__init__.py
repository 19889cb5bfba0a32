"""The queue by the official QStash SDK: the hosted one and the local one alike."""

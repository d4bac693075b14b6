"""Request envelopes: the formats of model orchestrators, turned into what handlers take and back."""

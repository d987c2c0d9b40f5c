"""Recognition behind an address: REST with limits; nothing here needs PyTorch.

``options`` says what is allowed, ``workers`` recognises in processes of their own, ``app`` speaks
HTTP.
"""

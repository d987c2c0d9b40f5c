"""Recognition over HTTP: REST under ``/v1``, live audio, a web page; needs no PyTorch.

``options`` holds the limits, ``routes`` the endpoints (one file each, found by a scan),
``service`` the state they share, ``workers`` the processes that recognise, ``middleware`` the
checks of every request, and ``app`` puts them together.
"""

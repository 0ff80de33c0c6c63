"""Who is asking. Nobody needs to sign in on one's own machine; a server for several people asks where it is configured.

Two ways, both optional: OpenID Connect by Streamlit (an ``[auth]`` section in ``.streamlit/secrets.toml``), or a proxy
that signs people in and names them in a header (``server.trustedUserHeaders``, stripped from what browsers send).
"""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

NAMES = ("sub", "email", "preferred_username", "name")
"""Claims that tell one person from another, best first."""


def identity() -> str:
    """The signed-in person, for telling sessions apart, never shown or stored; empty where sign-in is off.

    While nobody is signed in the page ends here with a button.
    """
    if _configured():
        if not st.user.is_logged_in:
            st.info("Sign in to see your cohorts, jobs and models.", icon=":material/lock:")
            st.button("Sign in", type="primary", on_click=st.login)
            st.stop()
        return person(st.user)
    if st.get_option("server.trustedUserHeaders"):
        found = person(st.user)
        if not found:
            st.error("The proxy in front of this server did not say who you are.", icon=":material/lock:")
            st.stop()
        return found
    return ""


def person(claims: Mapping[str, object]) -> str:
    """The issuer and the best claim there is; empty when there is none."""
    for name in NAMES:
        if claims.get(name):
            return f"{claims.get('iss', '')}|{name}|{claims[name]}"
    return ""


def _configured() -> bool:
    return bool(st.secrets.load_if_toml_exists() and "auth" in st.secrets)

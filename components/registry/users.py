"""The users of an MLflow server that asks for a login (``mlflow server --app-name basic-auth``).

The server makes its administrator by itself, from MLFLOW_AUTH_ADMIN_USERNAME and _PASSWORD, and nobody else. This makes
the others, gives each the password of its Secret, and grants what it may do. Run again, it puts changed passwords in.

MLflow lets every user make experiments and models, and whoever makes one may do everything with it. So the arena's own
are made here too, before a user who may only read could take their names.

``python -m content_arena.components.registry.users`` reads its environment: MLFLOW_TRACKING_URI, the
administrator's MLFLOW_TRACKING_USERNAME and _PASSWORD, and of each user NAME_USERNAME and NAME_PASSWORD, where NAME is
STAGES or READER.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from content_arena.components.registry.registry import MODEL_NAME
from content_arena.components.shared.errors import InputError, exit_code_of
from content_arena.components.shared.library_errors import during
from content_arena.components.shared.mlflow_tracking import reachable, tracking

if TYPE_CHECKING:
    from mlflow.server.auth.client import AuthServiceClient

#: What MLflow lets a user do with every experiment and every registered model, to which runs, artifacts and versions
#: belong.
PERMISSIONS = {"stages": "MANAGE", "reader": "READ"}
_KINDS = ("experiment", "registered_model")
_PATIENCE = 300.0


@dataclass(frozen=True)
class User:
    """Somebody who logs in.

    Attributes:
        name: Login name.
        password: At least 12 characters, MLflow's own minimum.
        permission: READ, USE, EDIT or MANAGE on all experiments and registered models.
    """

    name: str
    password: str = field(repr=False)
    permission: str


def from_environment(environment: Mapping[str, str]) -> list[User]:
    """The users of ``PERMISSIONS``, from variables that Secrets fill.

    Raises:
        InputError: A variable is missing or empty.
    """
    users = []
    for role, permission in PERMISSIONS.items():
        names = (f"{role.upper()}_USERNAME", f"{role.upper()}_PASSWORD")
        missing = [name for name in names if not environment.get(name)]
        if missing:
            raise InputError(f"{' and '.join(missing)} not set: no login for the user {role} can be made")
        users.append(User(environment[names[0]], environment[names[1]], permission))
    return users


def ensure(uri: str, users: Sequence[User]) -> list[str]:
    """Makes missing users, sets all passwords and grants; whoever calls logs in as the administrator.

    Args:
        uri: The MLflow server.
        users: Who there is to be.

    Returns:
        What was done, a line a user.

    Raises:
        LibraryError: The server refuses.
    """
    with during(f"making the users of MLflow at {uri}"):
        from mlflow.server import get_app_client

        admin = tracking.connect(uri)
        tracking.experiment(admin, uri)
        _unless("RESOURCE_ALREADY_EXISTS", admin.create_registered_model, MODEL_NAME)
        server = get_app_client("basic-auth", tracking_uri=uri)
        return [_ensure_user(server, user) for user in users]


def _ensure_user(server: AuthServiceClient, user: User) -> str:
    if not _unless("RESOURCE_ALREADY_EXISTS", server.create_user, user.name, user.password):
        server.update_user_password(user.name, user.password)
    for kind in _KINDS:
        grant = (user.name, kind, "*", user.permission)
        if _unless("RESOURCE_ALREADY_EXISTS", server.grant_user_permission, *grant):
            continue
        if server.get_user_permission(*grant[:3]).permission != user.permission:
            server.revoke_user_permission(*grant[:3])
            server.grant_user_permission(*grant)
    return f"{user.name}: {user.permission} on every experiment and registered model"


def _unless(code: str, call: Callable[..., object], *arguments: str) -> bool:
    """Whether a call succeeded; False if MLflow answered with this code of an error."""
    from mlflow.exceptions import MlflowException

    try:
        call(*arguments)
    except MlflowException as error:
        if error.error_code != code:
            raise
        return False
    return True


def _await(uri: str, patience: float) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            return reachable.require(uri)
        except InputError:
            if time.monotonic() > deadline:
                raise
            time.sleep(2)


def main(patience: float = _PATIENCE) -> int:
    """The module's command; returns the exit code: 0, or 2 after an error, which is one line on stderr.

    Args:
        patience: Seconds to wait for a server that is starting.
    """

    def run() -> None:
        uri = os.environ.get("MLFLOW_TRACKING_URI")
        if not uri:
            raise InputError("MLFLOW_TRACKING_URI not set: it names the MLflow server")
        users = from_environment(os.environ)
        _await(uri, patience)
        print("\n".join(ensure(uri, users)))

    return exit_code_of(run)


if __name__ == "__main__":
    sys.exit(main())

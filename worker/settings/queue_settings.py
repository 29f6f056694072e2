"""The settings of the queue: where it is, who works on it, and how long anything is waited for."""

import socket
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from worker.settings.retrying import Retries
from worker.settings.setting_types import AbsolutePath, TaskTypes, WebAddress
from worker.task import TASK_TYPES

PREFIX = "LOOP26_"


class QueueSettings(BaseSettings):
    """What a worker must know before it knows what it works with."""

    model_config = SettingsConfigDict(
        allow_inf_nan=False,
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
        validate_default=True,
    )

    home: AbsolutePath = Field(
        default=Path("~/.loop26"),
        description="Folder of the queue, the journals, outputs and models.",
    )
    worker_name: str = Field(
        default_factory=socket.gethostname,
        min_length=1,
        max_length=100,
        description="This worker's name; a boot id is added to it at every start.",
    )
    task_types: TaskTypes = Field(
        default=TASK_TYPES, description="Task types that this worker accepts, parted by commas."
    )
    supabase_url: WebAddress | None = Field(
        default=None,
        validation_alias="SUPABASE_URL",
        description="Supabase project whose queue is shared; unset uses the home's own queue.",
    )
    supabase_publishable_key: SecretStr | None = Field(
        default=None,
        validation_alias="SUPABASE_PUBLISHABLE_KEY",
        description="Publishable key of the project; with worker_token all that a worker needs.",
    )
    supabase_anon_key: SecretStr | None = Field(
        default=None,
        validation_alias="SUPABASE_ANON_KEY",
        description="The same by its older name.",
    )
    worker_token: SecretStr | None = Field(
        default=None,
        description="Of `loop26 worker-token create`: lets this worker claim tasks, no more.",
    )
    supabase_secret_key: SecretStr | None = Field(
        default=None,
        validation_alias="SUPABASE_SECRET_KEY",
        description="Secret key of the project, for operators: it opens the whole database.",
    )
    supabase_service_role_key: SecretStr | None = Field(
        default=None,
        validation_alias="SUPABASE_SERVICE_ROLE_KEY",
        description="The same by its older name.",
    )
    supabase_rest_url: WebAddress | None = Field(
        default=None,
        description="Where PostgREST answers, where that is not SUPABASE_URL/rest/v1.",
    )
    supabase_db_url: SecretStr | None = Field(
        default=None,
        validation_alias="SUPABASE_DB_URL",
        description="The database itself, as postgresql://…; for `loop26 migrate` alone.",
    )
    poll_s: float = Field(
        default=1.0, gt=0, le=3600, description="Seconds between two looks at an empty queue."
    )
    heartbeat_s: float = Field(
        default=10.0,
        gt=0,
        le=3600,
        description="Seconds between two extensions of a running task's lease.",
    )
    lease_s: float = Field(
        default=60.0,
        gt=0,
        le=86400,
        description="Seconds until a task of a silent worker is taken from it.",
    )
    cancel_check_s: float = Field(
        default=1.0,
        gt=0,
        le=3600,
        description="Seconds between two looks whether the task was cancelled.",
    )
    grace_s: float = Field(
        default=25.0,
        ge=0,
        le=86400,
        description="Seconds after SIGTERM in which the running task may still finish.",
    )
    max_deaths: int = Field(
        default=3,
        ge=1,
        le=100,
        description="Deaths of its process after which a task fails for good.",
    )
    max_attempts: int = Field(
        default=3,
        ge=1,
        le=100,
        description="Errors that may pass after which a task fails for good.",
    )
    retries: Retries = Field(
        default={},
        description="Other numbers for one type of task (or *), by error, death or hang: "
        "t2v.death=1,*.hang=2.",
    )
    recycle_after_tasks: int = Field(
        0,
        ge=0,
        description="Attempts at tasks after which the worker ends with exit code 75; 0 is never.",
    )
    child_start_timeout_s: float = Field(
        default=300.0,
        gt=0,
        le=86400,
        description="Seconds in which a new task process must report its device ready.",
    )

    @model_validator(mode="after")
    def _lease_outlives_heartbeats(self) -> Self:
        if self.lease_s <= 2 * self.heartbeat_s:
            raise ValueError(
                f"lease_s = {self.lease_s:g}: must exceed 2 x heartbeat_s (2 x "
                f"{self.heartbeat_s:g}), or one late heartbeat loses the task; "
                "raise lease_s or lower heartbeat_s"
            )
        return self

    @model_validator(mode="after")
    def _queue_has_a_key(self) -> Self:
        if self.supabase_url and not (self.operator_key or (self.worker_token and self.public_key)):
            raise ValueError(
                f"SUPABASE_URL = {self.supabase_url!r}: needs a key: for a worker set "
                "SUPABASE_PUBLISHABLE_KEY and LOOP26_WORKER_TOKEN, for an operator "
                "SUPABASE_SECRET_KEY"
            )
        return self

    @property
    def public_key(self) -> str:
        """The publishable key of the Supabase project; "" without one."""
        key = self.supabase_publishable_key or self.supabase_anon_key
        return key.get_secret_value() if key else ""

    @property
    def operator_key(self) -> str:
        """The secret key of the Supabase project; "" without one."""
        key = self.supabase_secret_key or self.supabase_service_role_key
        return key.get_secret_value() if key else ""

    @property
    def queue_path(self) -> Path:
        """The SQLite file of the local queue."""
        return self.home / "queue.db"

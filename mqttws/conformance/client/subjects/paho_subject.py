"""paho-mqtt as a Client under test: ``python -m mqttws.conformance.client.subjects.paho_subject {url}``."""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import urlsplit

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from mqttws.conformance.client.convention import (
    Connected,
    Disconnected,
    Error,
    Message,
    Published,
    Subscribed,
    Task,
    Unsubscribed,
    Unsupported,
    say,
    tasks,
)
from mqttws.conformance.client.subjects.paho_properties import properties_of, refusal


class Subject:
    """One Client, made for the first connection and kept for all others that ask for the like."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._made_for: object = None
        self._version = 5

    def do(self, task: Task) -> None:
        """Do a task, or say why not."""
        if why := refusal(task):
            say(Unsupported(task.name, why))
            return
        try:
            getattr(self, f"_{task.name}")(task)
        except Exception as error:  # noqa: BLE001 - whatever the library raises is told
            say(Error(f"{type(error).__name__}: {error}", task.name))

    def _connect(self, task: Task) -> None:
        self._version = task["version"]
        clean = task.get("clean_start", True)
        made_for = (self._version, task.get("client_id"), clean or self._version)
        self._client.loop_stop()
        if made_for != self._made_for:
            self._client = self._make(task, clean)
            self._made_for = made_for
        settings: dict[str, Any] = {}
        if self._version == 5:
            settings = {"clean_start": clean, "properties": properties_of(task)}
        self._client.connect(self._url.hostname or "", self._url.port or 80, task.get("keep_alive", 60), **settings)
        self._client.loop_start()

    def _make(self, task: Task, clean: bool) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=task.get("client_id"),
            clean_session=clean if self._version == 4 else None,
            protocol=MQTTProtocolVersion(self._version),
            transport="websockets",
            reconnect_on_failure=task.get("reconnect", False),
        )
        client.ws_set_options(path=self._url.path + (f"?{self._url.query}" if self._url.query else ""))
        if "username" in task.values:
            client.username_pw_set(task["username"], task.get("password"))
        if "will_topic" in task.values:
            client.will_set(
                task["will_topic"], task.get("will_payload"), task.get("will_qos", 0), task.get("will_retain", False)
            )
        client.on_connect = lambda _c, _u, flags, code, _p: say(Connected(flags.session_present, code.value))
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = lambda _c, _u, _m, codes, _p: say(Subscribed(tuple(code.value for code in codes)))
        client.on_unsubscribe = lambda _c, _u, _m, codes, _p: say(Unsubscribed(tuple(code.value for code in codes)))
        client.on_publish = lambda _c, _u, _m, code, _p: say(Published(code.value))
        client.on_message = self._on_message
        return client

    @staticmethod
    def _on_disconnect(_client: Client, _data: object, flags: Any, code: ReasonCode, _properties: object) -> None:
        said = code.value if flags.is_disconnect_packet_from_server else None
        say(Disconnected(str(code), said))

    @staticmethod
    def _on_message(_client: Client, _data: object, message: MQTTMessage) -> None:
        say(Message(message.topic, bytes(message.payload), message.qos, message.retain))

    def _subscribe(self, task: Task) -> None:
        if self._version == 5:
            options = SubscribeOptions(
                task["qos"],
                noLocal=task.get("no_local", False),
                retainAsPublished=task.get("retain_as_published", False),
                retainHandling=task.get("retain_handling", 0),
            )
            code, _ = self._client.subscribe(task["topic_filter"], options=options, properties=properties_of(task))
        else:
            code, _ = self._client.subscribe(task["topic_filter"], task["qos"])
        self._check(code)

    def _unsubscribe(self, task: Task) -> None:
        self._check(self._client.unsubscribe(task["topic_filter"])[0])

    def _publish(self, task: Task) -> None:
        qos = task["qos"]
        properties = properties_of(task) if self._version == 5 else None
        info = self._client.publish(task["topic"], task["payload"], qos, task.get("retain", False), properties)
        if not (qos and info.rc is MQTTErrorCode.MQTT_ERR_NO_CONN):  # that is kept for the next connection
            self._check(info.rc)

    def _disconnect(self, task: Task) -> None:
        code = None
        if self._version == 5 and "reason_code" in task.values:
            code = ReasonCode(PacketTypes.DISCONNECT, identifier=task["reason_code"])
        self._client.disconnect(code)  # whose result tells of a socket that is gone by now, too

    @staticmethod
    def _check(code: MQTTErrorCode) -> None:
        if code is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise RuntimeError(code.name)


def main(url: str) -> None:
    """Do the tasks until the input ends; the threads of paho-mqtt end with the process."""
    subject = Subject(url)
    for task in tasks():
        subject.do(task)


if __name__ == "__main__":
    main(sys.argv[1])

import json

from tests.unit.baton_local.qstash.served import Served


async def test_group_life_over_http(server: Served) -> None:
    """Upsert, read, publish, default headers, removal with a JSON body, delete twice."""
    endpoints = {"endpoints": [{"url": "https://a/"}, {"name": "b", "url": "https://b/"}]}
    await server.call("POST", "/v2/topics/my.group/endpoints", json=endpoints)
    group = await server.call("GET", "/v2/topics/my.group")
    assert group["endpoints"] == [{"url": "https://a/"}, {"url": "https://b/", "name": "b"}]
    assert [each["name"] for each in await server.call("GET", "/v2/topics")] == ["my.group"]
    await server.call("PATCH", "/v2/topics/my.group", json={"headers": {"Upstash-Retries": "0"}})
    answer = await server.call("POST", "/v2/publish/my.group", content=b"x")
    assert [item["url"] for item in answer] == ["https://a/", "https://b/"]
    await server.settle()
    assert {dict(request.headers)["Upstash-Topic-Name"] for request in server.sent} == {"my.group"}
    removal = json.dumps({"endpoints": [{"name": "b"}]})
    await server.call("DELETE", "/v2/topics/my.group/endpoints", content=removal)
    assert (await server.call("GET", "/v2/topics/my.group"))["endpoints"] == [{"url": "https://a/"}]
    await server.call("DELETE", "/v2/topics/my.group")
    await server.call("DELETE", "/v2/topics/my.group")
    assert (await server.client.get("/v2/topics/my.group")).status_code == 404

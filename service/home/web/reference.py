"""The API's description as a page: what the OpenAPI document says, in the reader's language, with an example each."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from service.base.i18n import N_
from service.catalogue.rules import FACETS

Document = Mapping[str, Any]

GROUPS = (
    ("data", N_("取数"), ("/oauth/", "/api/v1/datasets/{dataset_id}/rows", "/api/v1/datasets/{dataset_id}/")),
    ("catalogue", N_("目录和清单"), ("/api/v1/datasets", "/api/v1/negative-lists", "/api/v1/openapi.json")),
    ("applications", N_("申请和判定"), ("/api/v1/applications", "/api/v1/screenings")),
    ("grants", N_("数据使用授权"), ("/api/v1/grants", "/api/v1/requests")),
    ("persons", N_("其他"), ("/",)),
)
# What each operation does; the document itself is in English.
SUMMARIES = {
    "oauth_api_token_post": N_("用系统凭据换取访问令牌（RFC 6749 第 4.4 节）。"),
    "home_dataset_versions_get": N_("列出公开的各个版本：编号、日期、字段、变化、校验值；撤下的写明事由。"),
    "data_rows_get": N_("按条件读取授权内的行和字段：JSON 逐页，jsonl、csv、arrow、parquet 一次全取。"),
    "data_query_rows_post": N_("同上，条件写在请求体里，条件很长时用。"),
    "data_aggregate_post": N_("按字段分组，求行数、合计、平均、最小、最大和分位数。"),
    "data_file_get": N_("取整份文件：长度已知，支持断点续传、多段范围和 If-None-Match；还没有的格式先生成再取。"),
    "data_link_post": N_("为一个文件生成签名地址，最长一小时；授权变动、系统停用即失效。"),
    "data_part_get": N_("取一个分段（Parquet），编号见 manifest.json。"),
    "data_manifest_get": N_("返回授权内数据的清单：版本、字段、分段和文件的校验值、大小、地址。"),
    "data_changes_get": N_("返回自某一版以来增减的分段和变动的字段。"),
    "data_schema_get": N_("返回授权的字段：名称、类型、说明和已作的处理。"),
    "data_mine_my_grants_get": N_("列出此系统的授权：字段、到期时间、版本和今天余下的用量。"),
    "catalogue_api_datasets_get": N_("查找数据集，逐页返回。"),
    "catalogue_api_dataset_get": N_("返回一个数据集的说明、字段和开放条件。"),
    "catalogue_api_begin_upload_post": N_("开始一次可续传的上传（tus 1.0）：元数据写明 dataset 和 filename。"),
    "catalogue_api_upload_get": N_("返回一次上传的状态、已收到的字节数和它成为的版本。"),
    "catalogue_api_take_piece_patch": N_("传文件的下一段，从 Upload-Offset 起；可带 Upload-Checksum。"),
    "catalogue_api_end_upload_delete": N_("放弃一次上传，删除已收到的部分。"),
    "screening_api_lists_get": N_("返回所有已发布的负面清单全文。"),
    "health_openapi_get": N_("返回本接口的 OpenAPI 3.1 文档。"),
    "applications_api_index_get": N_("列出您可以看到的申请，最近的在前。"),
    "applications_api_create_post": N_("一次写入一份草稿；提交时再核对是否齐全。"),
    "applications_api_show_get": N_("返回一份申请：内容、当前判定、各步骤和决定。"),
    "applications_api_submit_post": N_("提交草稿或者补正后的申请，返回回执。"),
    "applications_api_withdraw_post": N_("撤回申请。"),
    "applications_api_decide_post": N_("对看到的版本作一次审核决定；只能由本人登录后办理。"),
    "applications_api_agreement_get": N_("返回协议全文和摘要值。"),
    "applications_api_sign_post": N_("签署摘要值所指的协议，返回数据使用授权。"),
    "screening_api_screen_post": N_("按现行清单判定一次请求，不留记录。"),
    "grants_api_index_get": N_("列出您可以知道的数据使用授权，最晚到期的在前。"),
    "grants_api_show_get": N_("返回一份数据使用授权。"),
    "grants_api_hand_back_post": N_("提前交还本单位的数据使用授权，下一次取数即被拒绝。"),
    "grants_api_suspend_post": N_("立即暂停一份数据使用授权，写明事由。"),
    "grants_api_confirm_post": N_("由第二人确认暂停。"),
    "grants_api_lift_delete": N_("恢复被暂停的数据使用授权。"),
    "health_refused_request_get": N_("按请求号说明一次取数或换令牌为什么被拒绝，保留 30 天。"),
    "people_api_me_get": N_("返回当前登录的人、所属单位和角色。"),
}
PARAMETERS = {
    "dataset_id": N_("数据集编号，例如 parking-records"),
    "grant_id": N_("数据使用授权编号"),
    "upload_id": N_("上传编号"),
    "request_id": N_("答复头 X-Request-Id 中的请求号"),
    "id": N_("申请编号"),
    "name": N_("文件名：data.parquet、data.csv、data.csv.zst、data.jsonl 或 data.arrow"),
    "number": N_("分段编号，从 1 起"),
    "version": N_("版本号，须是已为授权核定的版本；不写为现用版本"),
    "as_of": N_("不晚于此版本号的最新一版"),
    "since": N_("手里已有的版本号"),
    "for": N_("写 excel，取带 BOM、不含公式的 CSV"),
    "link": N_("签名地址中的一段，代替令牌"),
    "select": N_("字段名，用逗号分开；不写为全部获批字段"),
    "limit": N_("每页行数，1 到 10000；不写为 100；导出时为总行数，不写为全部"),
    "filter": N_("JSON 条件，可用 and、or 嵌套"),
    "where": N_("简短条件：字段:运算:值，可写多次，须全部满足"),
    "order": N_("排序字段，用逗号分开，前加减号为降序；空值在后"),
    "count": N_("写 true，另答符合的行数，至多数到 10000"),
    "data-rows-get format": N_("json、jsonl、csv、arrow 或 parquet，代替 Accept"),
    "cursor": N_("上一页答复中的 next"),
    "grant": N_("在哪一份授权下读取；不写为最晚到期的一份"),
    "q": N_("关键词"),
    **FACETS,
    "sort": N_("排序"),
}
SECURITY = {
    "token": N_("访问令牌；无条件开放的数据不用"),
    "session": N_("本人登录"),
    "client": N_("系统凭据（HTTP Basic）"),
    "": N_("不用登录"),
}
EXAMPLES = {
    "dataset_id": "parking-records",
    "name": "data.csv",
    "number": "1",
    "id": "$ID",
    "grant_id": "$GRANT",
    "request_id": "$REQUEST",
    "upload_id": "$UPLOAD",
}
# What a call cannot do without, by the last part of its path.
QUERIES = {"changes": "?since=1"}
SAMPLE_BODIES = {
    "RowsForm": {"filter": {"column": "duration_min", "op": "ge", "value": 60}, "limit": 1000},
    "AggregateForm": {"group": ["lot_id"], "measures": [{"function": "count"}]},
    "ScreeningForm": {"dataset": "parking-records", "columns": ["lot", "entered_at"], "delivery": "api"},
}


def groups(document: Document) -> list[dict[str, Any]]:
    """Return the operations in groups, in the order in which somebody needs them."""
    left = list(_operations(document))
    found = []
    for id, title, starts in GROUPS:
        own = [each for start in starts for each in left if each["path"].startswith(start)]
        own = [each for place, each in enumerate(own) if each not in own[:place]]
        left = [each for each in left if each not in own]
        found.append({"id": id, "title": title, "operations": own})
    return [group for group in found if group["operations"]]


def _operations(document: Document) -> Iterator[dict[str, Any]]:
    schemas = document["components"]["schemas"]
    base = document["servers"][0]["url"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            security = _security(operation)
            body = _body(operation, schemas)
            yield {
                "id": operation["operationId"].replace("_", "-"),
                "path": path,
                "method": method.upper(),
                "summary": SUMMARIES.get(operation["operationId"]),
                "about": operation["summary"],
                "parameters": operation["parameters"],
                "security": SECURITY[security],
                "body": body,
                "responses": _responses(operation),
                "example": _example(method.upper(), base + path, security, body),
            }


def _security(operation: Mapping[str, Any]) -> str:
    names = [name for each in operation["security"] for name in each]
    return names[0] if names else ""


def _body(operation: Mapping[str, Any], schemas: Document) -> dict[str, Any] | None:
    """Return what a POST takes: its content type and its fields."""
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        name = content["schema"].get("$ref", "").rpartition("/")[2]
        schema = schemas[name] if name else content["schema"]
        return {"kind": kind, "name": name, "fields": _fields(schema)}
    return None


def _fields(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    required = schema.get("required", [])
    return [
        {"name": name, "type": _type(field), "required": name in required, "about": field.get("description", "")}
        for name, field in schema.get("properties", {}).items()
    ]


def _type(field: Mapping[str, Any]) -> str:
    if "anyOf" in field:
        return " | ".join(dict.fromkeys(_type(each) for each in field["anyOf"]))
    if "enum" in field:
        return " | ".join(json.dumps(each) for each in field["enum"])
    if "const" in field:
        return json.dumps(field["const"])
    if field.get("type") == "array":
        return f"{_type(field.get('items', {}))}[]"
    return str(field.get("format") or field.get("type") or field.get("$ref", "").rpartition("/")[2] or "any")


def _responses(operation: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (status, media types) of each answer; the refusals stand under `default`."""
    return [(status, ", ".join(answer.get("content", {}))) for status, answer in operation["responses"].items()]


def _example(method: str, url: str, security: str, body: Mapping[str, Any] | None) -> str:
    address = re.sub(r"\{(\w+)\}", lambda found: EXAMPLES.get(found[1], "$" + found[1].upper()), url)
    parts = ["curl -s"]
    if method not in ("GET", "POST"):
        parts.append(f"-X {method}")
    if security == "token":
        parts.append('-H "Authorization: Bearer $TOKEN"')
    if security == "session":
        parts.append(
            f'-b "qiantang=$SESSION" -H "Origin: {_origin(url)}"' if method != "GET" else '-b "qiantang=$SESSION"'
        )
    if security == "client":
        parts.append('-u "$CLIENT:$QIANTANG_CLIENT_SECRET" -d grant_type=client_credentials -d scope=data.read')
    elif method == "POST":
        parts.append(f"-H 'Content-Type: application/json' -d '{_sample(body)}'" if body else "-X POST")
    return (" \\\n  " if len(parts) > 1 else " ").join(
        [*parts, f'"{address}{QUERIES.get(url.rpartition("/")[2], "")}"']
    )


def _origin(url: str) -> str:
    return "/".join(url.split("/")[:3])


def _sample(body: Mapping[str, Any]) -> str:
    if body["name"] in SAMPLE_BODIES:
        return json.dumps(SAMPLE_BODIES[body["name"]])
    return json.dumps({field["name"]: "…" for field in body["fields"] if field["required"]}, ensure_ascii=False)

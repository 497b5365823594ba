-- Asks one question over and over: QUESTION is a file with its body, HEADERS one with "name: value" lines.
-- With UNIQUE each question begins with a number of its own.
wrk.method = "POST"
wrk.path = os.getenv("QUESTION_PATH")
wrk.body = assert(io.open(os.getenv("QUESTION"), "rb")):read("*a")
for line in io.lines(os.getenv("HEADERS")) do
  local name, value = line:match("^([^:]+): (.*)$")
  wrk.headers[name] = value
end

if os.getenv("UNIQUE") ~= "" then
  local before, after = wrk.body:match("^(.-\"content\":\")(.*)$")
  local number = os.time() * 1000000
  request = function()
    number = number + 1
    return wrk.format(nil, nil, nil, before .. string.format("%d ", number) .. after)
  end
end

done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests": %d, "seconds": %.6f, "failed": %d, "p50_ms": %.4f, "p99_ms": %.4f}\n',
    summary.requests, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end

-- Callbacks for wrk, as the gateway sends them: each with an id of its own, and with the tokens in turn.
--
--     wrk ... -s post.lua URL -- PATH TOKENS BODY RUN
--
-- TOKENS: a file with one token in a line. BODY: a file with one line; each "%ID%" in it becomes the id too.
-- RUN: a number, another one for each run. At the end one line of figures is printed: requests,
-- microseconds, answers other than 2xx and 3xx, errors of the sockets, p50 and p99 in microseconds.

local head, tokens, pieces, run
local n = 0

local function lines_of(name)
    local list = {}
    for line in io.lines(name) do
        list[#list + 1] = line
    end
    return list
end

function init(args)
    local text = lines_of(args[3])[1]

    run = tonumber(args[4])
    tokens = lines_of(args[2])
    pieces = {}
    for piece in (text .. "%ID%"):gmatch("(.-)%%ID%%") do
        pieces[#pieces + 1] = piece
    end
    head = "POST " .. args[1] .. " HTTP/1.1\r\nHost: " .. wrk.host .. "\r\nUser-Agent: ReactorNetty/1.1.19\r\n"
        .. "Accept: */*\r\nContent-Type: application/json\r\nX-HIP-ID: IN0990001234_1\r\nX-CM-ID: sbx\r\n"
        .. "TIMESTAMP: " .. os.date("!%Y-%m-%dT%H:%M:%S.000Z") .. "\r\n"
        .. "Content-Length: " .. #text + (36 - 4) * (#pieces - 1) .. "\r\nREQUEST-ID: "
end

function request()
    n = n + 1
    local id = string.format("%08x-b0bb-4000-8000-%012x", run, n)
    return head .. id .. "\r\nAuthorization: Bearer " .. tokens[n % #tokens + 1] .. "\r\n\r\n"
        .. table.concat(pieces, id)
end

function done(summary, latency)
    local e = summary.errors
    io.write(string.format("figures %d %d %d %d %d %d\n", summary.requests, summary.duration, e.status,
        e.connect + e.read + e.write + e.timeout, latency:percentile(50), latency:percentile(99)))
end

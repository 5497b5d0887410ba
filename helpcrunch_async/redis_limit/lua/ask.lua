-- One run: take in what a process reports, grant the turns that are due to it, and say when to come again.
--
-- ARGV[1] is what it asks, as JSON:
--   pid, seq              who, and the number of the question; it is asked again until an answer arrives
--   id, version           of the state that it saw last; absent at first
--   limit, period         what it was told
--   lanes                 {i: [callers, age of the first, age of the last], b: ...}; seconds
--   room                  lumped turns that it will take now
--   jitter, rtt           of its calls; seconds
--   dice                  a number in [0, 1)
--   accepted, returned    [[cell, turns], ...]: answered well, and not used at all
--   rejected              [{age, depth, epoch, probe, retry_after}, ...]
--   probe                 "accepted", "lost" or "held", if the probe is its own
--   history               {cells: [[age, turns], ...], calls, pause}: when Redis may have missed something
--   clock                 seconds, instead of Redis' own (tests)

local function take(s, now, line, lane, n, probe)
  local proc, depth = line.proc, math.max(0, s.next - now) / gap(s)
  for _ = 1, n do
    local due = now >= s.next - EARLY
    if not probe and now > s.next + gap(s) then
      s.pressed_since = now -- until here fewer turns were taken than the pace allows
    end
    line.waiting = line.waiting - 1
    if line.waiting > 0 or not (probe or due) then
      s.credit = math.max(0, s.credit - 1)
    end
    s.next = math.max(s.next, now - lag(s)) + gap(s)
    s.streak = (lane == 'b' or line.count.b == 0) and 0 or s.streak + 1
  end
  s.earned_at = now
  local cell = note_turns(s, now, line.pid, n)
  proc.leases[#proc.leases + 1] = { cell, n }
  return { lane, n, cell, depth, probe and 1 or 0 }
end

local function earn_credit(s, now)
  for _, proc in pairs(s.procs) do
    if next(proc.lanes) then
      return -- as long as somebody waits nothing is earned
    end
  end
  s.credit = math.min(s.burst, s.credit + (now - s.earned_at) / gap(s))
  s.earned_at = now
end

-- Lets all callers of a lane go ahead of the pace, if that gets everybody through.
local function lump(s, now, line, room, grants)
  local lane = line.count.i > 0 and 'i' or 'b'
  local waiting = line.proc.lanes[lane]
  local budget = lane == 'i' and s.calls or s.calls / 2
  local frees, free = window_frees(s, now)
  local sent = math.min(s.limit, math.ceil(s.calls)) - free
  local total = line.count[lane]
  if not waiting or frees > now or total > s.credit or total + sent > budget then
    return false
  end
  local n = math.min(waiting.n, room, free)
  if n > 0 then
    grants[#grants + 1] = take(s, now, line, lane, n, false)
    for _, head in ipairs(line[lane]) do
      if head.pid == line.pid then
        for _ = 1, n do
          step_forward(line, head, lane)
        end
      end
    end
  end
  return waiting.n > n
end

-- Walks the line, turn by turn: those of the asker that are due are granted, the first that is not tells
-- when it is to come again.
local function pace(s, now, line, grants)
  local at = math.max(s.next, now - lag(s))
  local frees, room = window_frees(s, now)
  local mine = { i = 0, b = 0 }
  local again
  for _ = 1, MOST_STEPS do
    if room == 0 then
      at = math.max(at, frees)
    end
    local head, lane = next_head(line, math.max(at, now))
    if not head then
      break
    end
    if head.pid == line.pid then
      if at > now + EARLY or room == 0 then
        again = at
        break
      end
      mine[lane] = mine[lane] + 1
    end
    step_forward(line, head, lane)
    if at <= now + EARLY then
      room = math.max(0, room - 1)
      if room == 0 then
        frees = math.max(frees, now + gap(s))
      end
    end
    at = at + gap(s)
  end
  for lane, n in pairs(mine) do
    if n > 0 then
      grants[#grants + 1] = take(s, now, line, lane, n, false)
    end
  end
  return again or at
end

-- While the gate is closed the first in line is its probe, once the pause is over.
local function try_probe(s, now, line, grants)
  local gate = s.gate
  local poll = math.max(LATE, 2 * s.rtt, gap(s))
  if gate.probe then
    return now + poll
  end
  local frees = window_frees(s, now)
  local due = math.max(gate.till, frees)
  local head, lane = next_head(line, math.max(due, now))
  if not head or head.pid ~= line.pid then
    return math.max(due, now) + poll
  elseif due > now then
    return due
  end
  step_forward(line, head, lane)
  grants[#grants + 1] = take(s, now, line, lane, 1, true)
  gate.probe = { pid = line.pid, at = now, kept = now + PROBE_KEPT }
  return now + poll
end

local function take_in_reports(s, ask, proc, now)
  local probing = s.gate and s.gate.probe
  local probes = probing and probing.pid == ask.pid
  if probing and (probing.kept < now or (probes and (proc.seq == ask.seq or ask.probe == 'lost'))) then
    s.gate.probe = nil
  elseif probes and ask.probe then
    probing.kept = now + PROBE_KEPT
  end
  if proc.seq == ask.seq then -- this was asked before, and the answer never arrived
    for _, lease in ipairs(proc.leases) do
      take_back(s, lease[1], lease[2])
    end
    proc.leases = {}
    return
  end
  proc.seq, proc.leases = ask.seq, {}
  for _, each in ipairs(ask.returned) do
    take_back(s, each[1], each[2])
  end
  for _, each in ipairs(ask.accepted) do
    local cell = find_cell(s, each[1])
    if cell then
      cell.ok = math.min(cell.n, cell.ok + each[2])
    end
    if s.climb then
      s.climb.paid = s.climb.paid + each[2]
    end
  end
  if ask.probe == 'accepted' and probes and s.gate.probe then
    reopen(s)
  end
  for _, report in ipairs(ask.rejected) do
    rejected(s, now, ask.pid, report, ask.dice)
  end
  if ask.history and ask.history.pause > 0 then
    if not s.gate then
      close(s, now, now, 0, false)
    end
    s.gate.till = math.max(s.gate.till, now + ask.history.pause)
  end
end

local function note_demand(s, ask, proc, now)
  proc.seen, proc.lanes = now, {}
  for lane, each in pairs(ask.lanes) do
    proc.lanes[lane] = { n = each[1], first = now - each[2], last = now - each[3] }
  end
end

-- Takes the turns that were granted off what the process is known to want.
local function note_granted(proc, grants)
  for _, grant in ipairs(grants) do
    local waiting = proc.lanes[grant[1]]
    local step = waiting.n > 1 and (waiting.last - waiting.first) / (waiting.n - 1) or 0
    waiting.n = waiting.n - grant[2]
    waiting.first = waiting.first + step * grant[2]
    if waiting.n <= 0 then
      proc.lanes[grant[1]] = nil
    end
  end
end

local function save(s, now)
  local till = s.gate and s.gate.till or now
  local seconds = EXPIRY * s.period + math.max(0, till - now)
  redis.call('SET', KEYS[1], cmsgpack.pack(s), 'PX', math.ceil(1000 * seconds))
end

local ask = cjson.decode(ARGV[1])
local packed = redis.call('GET', KEYS[1])
local readable, s = pcall(cmsgpack.unpack, packed or cmsgpack.pack(false))
if not readable or (s and type(s) ~= 'table') then
  return redis.error_reply('FOREIGN ' .. KEYS[1] .. ' holds something that is not a budget')
end
if ask.id and not ask.history and (not s or s.id ~= ask.id or s.version < ask.version) then
  return cjson.encode({ forgotten = true })
end
s = s or new_state(ask)
s.version = s.version + 1
local now = tell_time(s, ask)
agree_on_limit(s, ask, now)
forget_old_cells(s, now)
if ask.history then
  recall(s, ask, now)
end
s.jitter = math.min(math.max(ask.jitter, 0.98 * s.jitter), s.period / 20)
s.rtt = ask.rtt > 0 and s.rtt + (ask.rtt - s.rtt) / 8 or s.rtt

local proc = s.procs[ask.pid] or { seq = 0, leases = {}, lanes = {} }
for pid, each in pairs(s.procs) do
  if pid ~= ask.pid and (each.due or each.seen) < now - LATE then
    each.lanes = {} -- it did not come
    if each.seen < now - s.period then
      s.procs[pid] = nil
    end
  end
end
earn_credit(s, now)
s.procs[ask.pid] = proc
if s.gate and now > s.gate.till + s.period and s.asked < now - s.period then
  s.gate.closed_at = now -- nobody asked for long: nobody's patience has been tried
end
s.asked = now
take_in_reports(s, ask, proc, now)
note_demand(s, ask, proc, now)
climb_if_due(s, now)

local line = gather(s, now, ask.pid)
line.pid, line.proc = ask.pid, proc
line.waiting = line.count.i + line.count.b
local others = {
  line.count.i - (proc.lanes.i and proc.lanes.i.n or 0),
  line.count.b - (proc.lanes.b and proc.lanes.b.n or 0),
}
local grants, more, again = {}, false, nil
if next(proc.lanes) then
  if s.gate then
    again = try_probe(s, now, line, grants)
  else
    more = lump(s, now, line, ask.room, grants)
    again = pace(s, now, line, grants)
  end
  note_granted(proc, grants)
end
if next(proc.lanes) then
  local heartbeat = math.max(HEARTBEAT, 2 * line.processes * gap(s))
  proc.due = math.min(again, now + heartbeat)
else
  proc.due = nil
end
save(s, now)

return cjson.encode({
  id = s.id,
  version = s.version,
  epoch = s.epoch,
  limit = s.limit,
  period = s.period,
  calls = s.calls,
  gap = gap(s),
  grants = grants,
  more = more,
  wait = proc.due and math.max(0, proc.due - now) or -1,
  next = math.max(0, s.next - now, window_frees(s, now) - now),
  others = others,
  processes = line.processes,
  paused = s.gate and math.max(0, s.gate.till - now) or -1,
  probing = s.gate ~= nil and s.gate.probe ~= nil,
  closed_for = s.gate and now - s.gate.closed_at or 0,
})

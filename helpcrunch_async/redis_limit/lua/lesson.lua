-- The lesson and the gate: what a rejection does. The same rules as in rate_limit/lesson.py and gate.py,
-- where they are explained; here the processes share one gate and learn one lesson.

local LONGEST_PAUSE = 4 -- windows
local FIRST_PAUSE = 4 -- gaps
local GROWTH = 4 -- of each pause without Retry-After
local PROBE_KEPT = 5 -- seconds after which a probe of which nothing is heard is given to another one
local TOO_DEEP = 0.5 -- turns ahead of the even pace: a rejection this deep blames the lump

local function accepted_between(s, after, till)
  local count = 0
  for _, cell in ipairs(s.cells) do
    if cell.t > after and cell.t <= till then
      count = count + cell.ok
    end
  end
  return count
end

local function pause(s, now, retry_after, dice)
  local gate = s.gate
  local longest = LONGEST_PAUSE * window(s)
  local back = gate.back * (0.85 + 0.3 * dice)
  local wait
  if retry_after then
    wait = gate.failed > 0 and math.max(retry_after, back) or retry_after
    gate.back = math.min(longest, 2 * math.max(gate.back, retry_after / 2))
  else
    wait = math.min(back, longest)
    gate.back = gate.back * GROWTH
    if gate.edge and now + wait >= gate.edge then
      wait = math.max(gate.edge - now, gap(s))
      gate.edge = nil
      gate.back = 2 * gap(s)
    end
  end
  gate.failed = gate.failed + 1
  gate.probe = nil
  gate.till = math.max(gate.till, now + wait)
end

local function close(s, now, cut, depth, told)
  local edge = now + window(s)
  for _, cell in ipairs(s.cells) do
    if cell.ok > 0 and cell.t > cut - s.period then
      edge = cell.t + window(s)
      break
    end
  end
  s.contact = { cut = cut, told = told, deepest = depth, rejected = 1, probes = 0 }
  s.gate = {
    closed_at = now,
    till = 0,
    back = math.max(FIRST_PAUSE * gap(s), s.rtt),
    edge = edge,
    failed = 0,
  }
end

local function rejected(s, now, pid, report, dice)
  local probing = s.gate and s.gate.probe
  if s.gate then
    if probing and probing.pid == pid and report.probe then
      s.contact.probes = s.contact.probes + 1
      pause(s, now, report.retry_after, dice)
      return
    end
    s.contact.rejected = s.contact.rejected + 1
    s.contact.deepest = math.max(s.contact.deepest, report.depth)
    if report.retry_after and not probing then
      s.gate.till = math.max(s.gate.till, now + report.retry_after)
    end
  elseif not report.epoch or report.epoch == s.epoch then -- older ones speak of an earlier pause
    close(s, now, now - report.age, report.depth, report.retry_after ~= nil)
    pause(s, now, report.retry_after, dice)
  end
end

-- Gives the calls per period that the server took, and whether that was counted well.
local function estimate(s, contact, at)
  local pressed, paused = contact.cut - (s.pressed_since or contact.cut), at - contact.cut
  contact.slack = contact.told and math.min(1, paused) / 2 or 0
  local recent = {}
  for _, earlier in ipairs(s.past or {}) do
    if earlier.cut >= contact.cut - s.period then
      recent[#recent + 1] = earlier
    end
  end
  s.past = recent
  if pressed >= s.period then
    return accepted_between(s, contact.cut - s.period, contact.cut), true
  elseif recent[1] then
    local span = contact.cut - recent[1].cut
    for _, earlier in ipairs(recent) do
      span = span - earlier.slack
    end
    return accepted_between(s, recent[1].cut, contact.cut) * s.period / math.max(span, 1e-3), false
  end
  local count = accepted_between(s, (s.pressed_since or contact.cut) - 1e-6, at - 1e-6)
  local span = math.min(math.max(pressed + paused - contact.slack, 1e-3), s.period)
  return count * s.period / span, count >= 15
end

local function plan_climb(s, at, rejections, strong)
  local climb = { paid = 0, steps = 0, step = 0.05, hold = 1, pay = 20 * rejections }
  local before = s.climb or {}
  climb.wall, climb.anyway = before.wall, at + 16 * s.period
  if strong then
    local same = before.wall and math.abs(s.calls / before.wall - 1) < 0.1
    climb.hold = same and math.min(2 * math.max(before.hold, 1), 16) or 3
    climb.step, climb.wall, climb.pay = 0.02, s.calls, 120 * rejections
  end
  climb.at = at + climb.hold * s.period
  s.climb = climb
end

local function reopen(s)
  local contact, at = s.contact, s.gate.probe.at
  local calls, strong = estimate(s, contact, at)
  local again = s.past[1] ~= nil
  local lumped = contact.deepest >= TOO_DEEP
  if lumped then
    s.burst = math.max(1, 0.7 * (contact.deepest - contact.rejected + 1))
    s.credit = math.min(s.credit, s.burst)
  end
  if not lumped or again then
    local lowest = strong and 0.3 or 0.7
    s.calls = math.max(1, lowest * s.calls, 0.985 * math.min(calls, s.calls))
  end
  plan_climb(s, at, contact.rejected + contact.probes, strong)
  s.past[#s.past + 1] = { cut = contact.cut, slack = contact.slack }
  s.pressed_since = at
  s.epoch = s.epoch + 1
  s.gate, s.contact = nil, nil
end

-- Tries a little more, lazily, after a while without rejections; never more than was told.
local function climb_if_due(s, now)
  local climb = s.climb
  if s.gate or not climb or not climb.at or now < climb.at then
    return
  elseif climb.paid < climb.pay and now < climb.anyway then
    return
  end
  s.calls = math.min(s.limit, s.calls * (1 + climb.step))
  s.burst = math.min(s.limit, s.burst * (1 + climb.step))
  climb.at = now + s.period
  climb.steps = climb.steps + 1
  if climb.steps >= 4 then
    climb.step = math.min(0.25, 2 * climb.step)
  end
  if s.calls >= s.limit and s.burst >= s.limit then
    climb.at = nil
  end
end

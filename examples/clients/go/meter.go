// What a gateway does for each request that it passes on, as docs/accounting.md advises: check and
// hold the estimate, tell of progress, extend or stop, and record until it is acknowledged.
package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	tally "example.com/gateway/gen/tally/v1"
)

// Settings of a Meter.
type Settings struct {
	// AllowUnchecked lets a request pass that nobody can check; it is recorded all the same.
	AllowUnchecked bool
	// Attempts is how often a call is sent before it is given up.
	Attempts int
	// Timeout is how long one attempt may take.
	Timeout        time.Duration
	Heartbeat      time.Duration
	ReservationTTL time.Duration
}

// DefaultSettings deny what cannot be checked.
var DefaultSettings = Settings{
	Attempts:       4,
	Timeout:        2 * time.Second,
	Heartbeat:      10 * time.Second,
	ReservationTTL: 10 * time.Minute,
}

// Request is what the gateway knows before it is sent upstream.
type Request struct {
	// ID is the request's own, the same in all calls about it: that makes them safe to repeat.
	ID, UserID, Provider, Model  string
	InputTokens, MaxOutputTokens int64
	IsStream                     bool
}

// DeniedError says that the caller may not spend this now.
type DeniedError struct{ Answer *tally.CheckQuotaResponse }

func (e *DeniedError) Error() string { return e.Answer.GetMessage() }

// ErrUnavailable says that nobody could be asked, and that the policy is to deny.
var ErrUnavailable = errors.New("tally is unavailable")

// Meter is made once for a connection, and is safe to share.
type Meter struct {
	quota    tally.QuotaCheckerClient
	recorder tally.UsageRecorderClient
	settings Settings
}

// NewMeter makes a Meter that calls over the connection.
func NewMeter(conn grpc.ClientConnInterface, settings Settings) *Meter {
	return &Meter{tally.NewQuotaCheckerClient(conn), tally.NewUsageRecorderClient(conn), settings}
}

// Admit holds the estimate. It fails with DeniedError or ErrUnavailable.
func (m *Meter) Admit(ctx context.Context, request Request) (*Metered, error) {
	metered := &Metered{meter: m, request: request, covered: request.MaxOutputTokens}
	metered.start = time.Now()
	metered.extended = metered.start
	answer, err := repeat(ctx, m.settings, m.quota.CheckQuota, &tally.CheckQuotaRequest{
		RequestId:      request.ID,
		UserId:         request.UserID,
		Provider:       request.Provider,
		Model:          request.Model,
		Expectation:    &tally.CheckQuotaRequest_Estimate{Estimate: request.estimate(request.MaxOutputTokens)},
		Reserve:        true,
		ReservationTtl: durationpb.New(m.settings.ReservationTTL),
	})
	switch {
	case err != nil && !isRepeated(err):
		return nil, err
	case err != nil && !m.settings.AllowUnchecked:
		return nil, errors.Join(ErrUnavailable, err)
	case err != nil:
		return metered, nil
	case !answer.GetAllowed():
		return nil, &DeniedError{answer}
	}
	metered.reservationID = answer.GetReservationId()
	return metered, nil
}

// Metered is a request that may be sent upstream. It is used by one goroutine.
type Metered struct {
	meter                      *Meter
	request                    Request
	reservationID              string
	covered                    int64
	start, extended, heartbeat time.Time
	firstByteTimeMs            *int64
}

// Start shows it among the requests under way; the heartbeats of Progress keep it there.
func (r *Metered) Start(ctx context.Context) error {
	usage := &tally.UsageInput{
		RequestId: r.request.ID,
		UserId:    r.request.UserID,
		Model:     r.request.Model,
		IsStream:  r.request.IsStream,
	}
	_, err := repeat(ctx, r.meter.settings, r.meter.recorder.StartUsage,
		&tally.StartUsageRequest{Usage: usage, ReservationId: r.reservationID})
	return err
}

// Progress is asked before the next tokens are let through. False: the funds end, stop and record.
func (r *Metered) Progress(ctx context.Context, outputTokens, nextTokens int64) (bool, error) {
	settings := r.meter.settings
	if r.firstByteTimeMs == nil {
		r.firstByteTimeMs = proto.Int64(time.Since(r.start).Milliseconds())
	}
	if time.Since(r.heartbeat) >= settings.Heartbeat {
		r.heartbeat = time.Now()
		r.sendHeartbeat(ctx, outputTokens)
	}
	if r.reservationID == "" {
		return true, nil
	}
	if needed := outputTokens + nextTokens; needed > r.covered {
		// Seldom, by asking for twice as much; where that is too much, for what is needed.
		if held, err := r.extend(ctx, r.covered+needed); held || err != nil {
			return held, err
		}
		return r.extend(ctx, needed)
	}
	if time.Since(r.extended) < settings.ReservationTTL/2 {
		return true, nil
	}
	return r.extend(ctx, r.covered)
}

// Record settles. If it fails, keep the usage and record it later: the id makes that safe.
func (r *Metered) Record(ctx context.Context, outputTokens int64) (*tally.RecordUsageResponse, error) {
	usage := &tally.UsageInput{
		RequestId:       r.request.ID,
		UserId:          r.request.UserID,
		Provider:        r.request.Provider,
		Model:           r.request.Model,
		IsStream:        r.request.IsStream,
		InputTokens:     r.request.InputTokens,
		OutputTokens:    outputTokens,
		ResponseTimeMs:  proto.Int64(time.Since(r.start).Milliseconds()),
		FirstByteTimeMs: r.firstByteTimeMs,
	}
	return repeat(ctx, r.meter.settings, r.meter.recorder.RecordUsage,
		&tally.RecordUsageRequest{Usage: usage, ReservationId: r.reservationID})
}

// Release is called instead of Record when nothing was sent upstream.
func (r *Metered) Release(ctx context.Context) error {
	if r.reservationID == "" {
		return nil
	}
	_, err := repeat(ctx, r.meter.settings, r.meter.quota.ReleaseReservation,
		&tally.ReleaseReservationRequest{ReservationId: r.reservationID})
	return err
}

// sendHeartbeat ignores failures: a heartbeat that is lost is made up for by the next.
func (r *Metered) sendHeartbeat(ctx context.Context, outputTokens int64) {
	ctx, cancel := context.WithTimeout(ctx, r.meter.settings.Timeout)
	defer cancel()
	_, _ = r.meter.recorder.UpdateUsageStatus(ctx, &tally.UpdateUsageStatusRequest{
		RequestId:         r.request.ID,
		Status:            tally.UsageStatus_USAGE_STATUS_STREAMING,
		Provider:          r.request.Provider,
		FirstByteTimeMs:   r.firstByteTimeMs,
		OutputTokensSoFar: &outputTokens,
	})
}

// extend answers whether the reservation holds that much now; it stays as it was if not.
func (r *Metered) extend(ctx context.Context, outputTokens int64) (bool, error) {
	estimate := r.request.estimate(outputTokens)
	answer, err := repeat(ctx, r.meter.settings, r.meter.quota.ExtendReservation,
		&tally.ExtendReservationRequest{
			ReservationId:  r.reservationID,
			Provider:       r.request.Provider,
			Model:          r.request.Model,
			Expectation:    &tally.ExtendReservationRequest_Estimate{Estimate: estimate},
			ReservationTtl: durationpb.New(r.meter.settings.ReservationTTL),
		})
	if err != nil || !answer.GetAllowed() {
		return false, err
	}
	r.reservationID = answer.GetReservationId()
	r.covered = outputTokens
	r.extended = time.Now()
	return true, nil
}

func (r Request) estimate(maxOutputTokens int64) *tally.TokenEstimate {
	return &tally.TokenEstimate{InputTokens: r.InputTokens, MaxOutputTokens: maxOutputTokens}
}

func repeat[I, O any](
	ctx context.Context,
	settings Settings,
	call func(context.Context, I, ...grpc.CallOption) (O, error),
	request I,
) (O, error) {
	for attempt := 1; ; attempt++ {
		limited, cancel := context.WithTimeout(ctx, settings.Timeout)
		answer, err := call(limited, request)
		cancel()
		if err == nil || !isRepeated(err) || attempt == settings.Attempts || ctx.Err() != nil {
			return answer, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait(err, attempt)):
		}
	}
}

// isRepeated: unknown whether it was done, or not done for now; the same call again is right.
func isRepeated(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.ResourceExhausted, codes.DeadlineExceeded, codes.Aborted:
		return true
	}
	return false
}

// wait is as long as the server asks for, else 100 ms, doubled each time; a part of it by chance.
func wait(err error, attempt int) time.Duration {
	for _, detail := range status.Convert(err).Details() {
		if asked, ok := detail.(*errdetails.RetryInfo); ok {
			return asked.GetRetryDelay().AsDuration()
		}
	}
	longest := 100 * time.Millisecond << (attempt - 1)
	return longest/2 + rand.N(longest/2)
}
